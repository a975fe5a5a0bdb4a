// unstructured.h - single weights set to zero by their size; the network keeps its shapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pare/step.h"

namespace pare {

/// Of each `of` neighbours along the input axis of a layer `keep` stay at most: "2:4".
struct ZeroPattern {
  std::int64_t keep = 2, of = 4;
};
/// Throws Error(kInvalidArgument).
[[nodiscard]] ZeroPattern parse_zero_pattern(std::string_view word);

enum class ZeroScope {
  kLayer,       ///< every layer loses the same share
  kGlobal,      ///< the smallest weights of the whole network go; each layer keeps its largest one
  kGlobalLamp,  ///< the same by w^2 over the sum of all squares not smaller in its layer (LAMP, Lee et al. 2021)
};

/// One of amount, threshold and pattern.
struct UnstructuredOptions {
  std::optional<double> amount = {};     ///< share of the weights that are zero afterwards, 0 to 1
  std::optional<double> threshold = {};  ///< weights of smaller magnitude go
  std::optional<ZeroPattern> pattern = {};
  ZeroScope scope = ZeroScope::kLayer;         ///< with `amount`
  std::vector<std::string> user_reasons = {};  ///< by node, why it stays as it is; empty: none (step/select.h)
};

/// Conv, ConvTranspose, Gemm and MatMul with stored float weights, shared ones once; biases stay. Of n weights exactly
/// round(amount * n) are zero afterwards, more only where more were zero before; among equal magnitudes the first go.
/// The mask is where the zeros are. Figures: zeros, weights, zero_share, file_bytes, deflated_bytes,
/// deflated_bytes_before (absent above 2 GiB), removable_filters. Throws Error(kInvalidArgument) on options without
/// sense, Error(kNumeric) on weights that are NaN.
[[nodiscard]] StepResult prune_unstructured(const Model& model, const UnstructuredOptions& options, Context& context);

}  // namespace pare
