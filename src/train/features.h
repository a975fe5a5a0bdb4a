// features.h - which hidden values of a student are compared with which of its teacher.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"
#include "train/channel_match.h"

namespace pare {

struct FeaturePair {
  std::string student, teacher;           ///< value names
  Shape student_shape, teacher_shape;     ///< [N, C, H, W] or [N, C]
  std::optional<ChannelMatch> kept = {};  ///< of a pruned network with fewer channels than its teacher
  [[nodiscard]] bool same_channels() const { return student_shape[1] == teacher_shape[1]; }
};

/// `words`: "student_value=teacher_value" (one name alone stands for both); or "same": the last activation or sum of
/// each image size, of the same name and shape (a network and what it was pruned from), else of the same name with
/// fewer channels, as far as channels go together (match_channels), which may be none; or "auto": such, whether they go
/// together or not, or where there are none the last ones of each size; or "none". `samples`: one batch; where there
/// are fewer channels it tells which were kept. Throws Error(kInvalidArgument) with the nearest names, or when nothing
/// goes together.
[[nodiscard]] std::vector<FeaturePair> find_features(const Model& student, const Model& teacher,
                                                     const std::vector<std::string>& words,
                                                     const NamedTensors& samples);

}  // namespace pare
