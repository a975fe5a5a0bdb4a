# Compiler flags that every target of pare gets, as the interface target pare_flags.
add_library(pare_flags INTERFACE)
target_compile_options(pare_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-restrict)  # g++ 12 sees overlaps in std::string that are not there (GCC bug 105651)
if(PARE_WARNINGS_AS_ERRORS)
  target_compile_options(pare_flags INTERFACE -Werror)
endif()
if(PARE_SANITIZE)
  target_compile_options(pare_flags INTERFACE -fsanitize=${PARE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(pare_flags INTERFACE -fsanitize=${PARE_SANITIZE})
endif()
# Cached objects serve every clone and build folder of this machine, also with precompiled headers.
find_program(PARE_CCACHE ccache)
if(PARE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=true
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${PARE_CCACHE}")
endif()
