// sniff.h - says what a file is that is not ONNX.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace pare {

/// "a zip archive\n  remedy: unpack it ...", or "" if the first bytes could be ONNX.
[[nodiscard]] std::string describe_foreign_file(std::span<const std::byte> bytes);

}  // namespace pare
