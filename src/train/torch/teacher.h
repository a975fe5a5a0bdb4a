// teacher.h - the network that is learned from: frozen, seeing what the student sees.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "train/torch/executor.h"
#include "train/torch/objective.h"

namespace pare {

/// Throws Error(kInvalidArgument) if the teacher is not better than chance on (at most 2,000 of) the labelled samples:
/// classes at random, or the mean of the numbers. Returns a sentence with its figure; "" without labels.
[[nodiscard]] std::string check_teacher(const Model& teacher, const std::shared_ptr<const Dataset>& data, int threads,
                                        std::uint64_t seed);

class Teacher {
 public:
  /// `cached`: inputs of a sample never change, so that each is run once, as far as `cache_bytes` reaches.
  Teacher(const Model& model, const std::vector<std::string>& values, bool cached,
          std::int64_t cache_bytes = std::int64_t{1} << 30);
  /// float32, without a gradient. `indices`: which samples they are.
  [[nodiscard]] std::vector<at::Tensor> outputs(const TorchBatch& batch, const std::vector<std::int64_t>& indices,
                                                at::ScalarType compute);

 private:
  [[nodiscard]] std::vector<at::Tensor> from_cache(const std::vector<std::int64_t>& indices) const;
  void store(const std::vector<std::int64_t>& indices, const std::vector<at::Tensor>& outputs);

  Executor executor_;
  bool cached_;
  std::int64_t free_bytes_;
  std::unordered_map<std::int64_t, std::vector<at::Tensor>> cache_;  ///< sample -> its outputs
};

}  // namespace pare
