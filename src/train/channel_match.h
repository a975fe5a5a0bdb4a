// channel_match.h - which channels of a dense network's value a pruned network has kept.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pare/tensor.h"

namespace pare {

/// Channel student[i] of the smaller value is channel teacher[i] of the larger one. In the order of the smaller one's.
struct ChannelMatch {
  std::vector<std::int64_t> student, teacher;
};

/// Both [N, C, ...] float32, of the same samples and places: every channel goes with the one that it is correlated with
/// most, each once, from the best pair down; below a correlation of 0.7 it goes with none. Nothing where fewer than
/// nine in ten of the student's channels have a partner: those are not the teacher's channels. Throws
/// Error(kInvalidArgument) when more than the channels differ.
[[nodiscard]] std::optional<ChannelMatch> match_channels(const Tensor& student, const Tensor& teacher);

/// These channels of a value [N, C, ...] float32.
[[nodiscard]] Tensor take_channels(const Tensor& value, const std::vector<std::int64_t>& channels);

}  // namespace pare
