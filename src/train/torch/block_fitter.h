// block_fitter.h - one block of a network, fitted to given outputs by gradient.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "train/engine.h"
#include "train/torch/executor.h"

namespace pare {

class BlockFitter {
 public:
  explicit BlockFitter(const BlockJob& job);
  [[nodiscard]] BlockFit run();

 private:
  struct Place {
    std::size_t batch = 0;
    std::int64_t row = -1;  ///< -1: all
  };
  struct Rows {
    std::map<std::string, at::Tensor> inputs;
    at::Tensor target;
  };
  void split();
  [[nodiscard]] Rows gather(const std::vector<Place>& places) const;
  [[nodiscard]] double error(const std::vector<Place>& places);

  const BlockJob& job_;
  Executor executor_;
  std::vector<TrainedTensor> trained_;
  std::vector<std::pair<at::Tensor, at::Tensor>> masks_;  ///< weight, 1 where it was not 0
  std::vector<Place> seen_, held_out_;
  std::int64_t per_step_ = 1;
};

}  // namespace pare
