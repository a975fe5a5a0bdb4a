// compress_text.h - what pare compress prints: the answer, the table of candidates, the proof, the command that does it
// again.
#pragma once

#include <string>

#include "pare/compress.h"

namespace pare {

/// "original        93.39 %   1.95 ms   ONNX Runtime 1.31.1, ...".
[[nodiscard]] std::string original_line(const CompressResult& result);
[[nodiscard]] std::string candidate_table(const CompressResult& result, std::size_t width);
/// "3.5x smaller, 2.19x faster, -0.04 +- 0.15 points".
[[nodiscard]] std::string gain_text(const CompressResult& result, const Candidate& candidate);
/// Bytes, MACs, milliseconds and the metric with its interval, of the original and of what was taken, side by side.
[[nodiscard]] std::string before_after_table(const CompressResult& result, std::size_t width);

}  // namespace pare
