// pare/split.h - which samples train, which validate, and in which order an epoch goes through them.
#pragma once

#include <cstdint>
#include <vector>

#include "pare/dataset.h"

namespace pare {

/// Both in ascending order, together all samples, none in both.
struct Split {
  std::vector<std::int64_t> train, validation;
};

/// Every class gives its share (largest remainders) where Dataset::labels() knows the labels; samples of one group
/// (Dataset::groups()) stay together. The same for the same seed. Throws Error(kInvalidArgument) unless 0 <=
/// validation_share < 1 and, for a share above 0, there are two samples (groups) to divide.
[[nodiscard]] Split split_dataset(const Dataset& dataset, double validation_share, std::uint64_t seed);

/// Half of the samples, at most `most`, as `validation`: what a result is measured on where nothing else is held out.
/// Samples of one group stay together. Throws Error(kInvalidArgument) unless there are two samples (groups).
[[nodiscard]] Split set_aside(const Dataset& dataset, std::int64_t most, std::uint64_t seed);

/// 0 ... size - 1 in random order, another one for each epoch.
[[nodiscard]] std::vector<std::int64_t> shuffled_indices(std::int64_t size, std::uint64_t seed, std::int64_t epoch);

}  // namespace pare
