// api.h - ONNX Runtime's C++ interface, to be started by hand because its library is opened with dlopen (library.h).
#pragma once

#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
