# Finds what scripts/setup installed. PARE_CACHE (default ~/.cache/pare) holds what Debian has not.
if(DEFINED ENV{PARE_CACHE})
  set(pare_cache_default "$ENV{PARE_CACHE}")
else()
  set(pare_cache_default "$ENV{HOME}/.cache/pare")
endif()
set(PARE_CACHE "${pare_cache_default}" CACHE PATH "Where scripts/setup keeps its downloads and builds")

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(Eigen3 REQUIRED)
set(BLA_VENDOR OpenBLAS)  # its LAPACK routines and its setting of threads are used too
find_package(BLAS REQUIRED)

# onnx's own package file asks for a CMake package of protobuf, which Debian's protobuf has not: find it by module, then take onnx's targets.
# protobuf's shared library, since Debian's static one is not position independent and libpare.so could not hold it.
find_package(Protobuf MODULE REQUIRED)
set(pare_onnx_targets "${PARE_CACHE}/onnx-1.23.2/lib/cmake/ONNX/ONNXTargets.cmake")
if(NOT EXISTS "${pare_onnx_targets}")
  message(FATAL_ERROR "onnx is not in ${PARE_CACHE}; run scripts/setup first")
endif()
include("${pare_onnx_targets}")
set_property(TARGET ONNX::onnx APPEND PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${PARE_CACHE}/onnx-1.23.2/include")

# ONNX Runtime is opened with dlopen; only its headers are needed here.
if(DEFINED ENV{ONNXRUNTIME_ROOT})
  set(pare_ort_root "$ENV{ONNXRUNTIME_ROOT}")
  file(GLOB pare_ort_library_default "${pare_ort_root}/lib/libonnxruntime.so*")
else()
  file(GLOB pare_ort_library_default "${PARE_CACHE}/onnxruntime-1.31.1/onnxruntime/capi/libonnxruntime.so*")
endif()
list(SORT pare_ort_library_default)
list(POP_FRONT pare_ort_library_default pare_ort_library_first)
set(PARE_ONNXRUNTIME_LIBRARY "${pare_ort_library_first}" CACHE FILEPATH "libonnxruntime.so that pare opens unless PARE_ONNXRUNTIME_LIBRARY is set in the environment of the command")
find_path(PARE_ONNXRUNTIME_INCLUDE onnxruntime_cxx_api.h
  PATHS "${pare_ort_root}/include" "${PARE_CACHE}/onnxruntime-headers/usr/include/onnxruntime" PATH_SUFFIXES onnxruntime REQUIRED)

if(PARE_WITH_OPENVINO)
  file(GLOB pare_openvino_default "${PARE_CACHE}/openvino-*/openvino/cmake")
  find_package(OpenVINO REQUIRED COMPONENTS Runtime PATHS ${pare_openvino_default})
endif()
if(PARE_WITH_GDAL)
  find_package(GDAL REQUIRED)
endif()

# libtorch: seen by src/train/torch and src/train/lower alone, which make a library of their own (libpare_train.so) that is opened when
# something is trained: the other verbs do not wait for it.
if(PARE_WITH_TORCH)
  set(PARE_TORCH_ROOT "${PARE_CACHE}/torch-2.15.0" CACHE PATH "include/ and lib/ of libtorch")
  if(NOT EXISTS "${PARE_TORCH_ROOT}/lib/libtorch_cpu.so")
    message(FATAL_ERROR "libtorch is not in ${PARE_TORCH_ROOT}; run scripts/setup first, or build without training: -DPARE_WITH_TORCH=OFF")
  endif()
  add_library(pare_libtorch INTERFACE)
  # Searched last: torch's folder holds another version of fmt and of protobuf than the system.
  target_compile_options(pare_libtorch INTERFACE "SHELL:-idirafter ${PARE_TORCH_ROOT}/include"
    "SHELL:-idirafter ${PARE_TORCH_ROOT}/include/torch/csrc/api/include")
  # By name, not only as needed: torch finds its own dependencies among what is loaded already.
  target_link_libraries(pare_libtorch INTERFACE -Wl,--push-state,--no-as-needed "${PARE_TORCH_ROOT}/lib/libcudart.so.13"
    "${PARE_TORCH_ROOT}/lib/libcupti.so.13" "${PARE_TORCH_ROOT}/lib/libgomp.so.1" "${PARE_TORCH_ROOT}/lib/libc10.so"
    "${PARE_TORCH_ROOT}/lib/libtorch_cpu.so" -Wl,--pop-state)
  # The wheel holds gloo's code, not its headers: gloo_names.h declares what torch's own header names of it.
  foreach(header algorithm common/error context rendezvous/store transport/device)
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/gloo/gloo/${header}.h" CONTENT "#include \"${CMAKE_CURRENT_LIST_DIR}/gloo_names.h\"\n")
  endforeach()
endif()
