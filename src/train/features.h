// features.h - which hidden values of a student are compared with which of its teacher.
#pragma once

#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

struct FeaturePair {
  std::string student, teacher;        ///< value names
  Shape student_shape, teacher_shape;  ///< [1, C, H, W] or [1, C], of one sample
  [[nodiscard]] bool same_channels() const { return student_shape[1] == teacher_shape[1]; }
};

/// `words`: "student_value=teacher_value" (one name alone stands for both), or "auto": the last activation or sum of
/// each image size, of the same name and shape if there is one (a network and what it was pruned from), else the last
/// of that share of the input's size. `sample`: one sample. Throws Error(kInvalidArgument) with the nearest names, or
/// when nothing goes together.
[[nodiscard]] std::vector<FeaturePair> find_features(const Model& student, const Model& teacher,
                                                     const std::vector<std::string>& words, const NamedTensors& sample);

}  // namespace pare
