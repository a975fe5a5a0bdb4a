// api.h - ONNX Runtime's C++ interface, to be started by hand because its library is opened with dlopen (library.h).
#pragma once

// Kept inside libpare.so: a program that uses pare may use another ONNX Runtime itself, and its interface's pointer
// must not become ours.
#pragma GCC visibility push(hidden)
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#pragma GCC visibility pop
