// core.h - OpenVINO's one entry point, and its errors in pare's words.
#pragma once

#include <exception>
#include <memory>
#include <openvino/openvino.hpp>
#include <string>

namespace pare {

/// Started on first use and shared by all sessions. Throws Error(kUnsupported) if OpenVINO or its CPU plugin does not
/// start.
[[nodiscard]] std::shared_ptr<ov::Core> openvino_core();

/// Rethrows what OpenVINO threw: "{what}\n  OpenVINO 2026.4.1 says: ...".
[[noreturn]] void fail_with(const std::string& what, const std::exception& error);

}  // namespace pare
