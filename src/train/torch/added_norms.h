// added_norms.h - normalizations that a network without any gets for the time of training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"

namespace pare {

/// A BatchNormalization behind a convolution. Its names are of the network that is trained.
struct AddedNorm {
  std::string weight, bias;  ///< of the convolution; bias: "" if it has none yet
  std::string output;        ///< of both: what the convolution gave, the normalization gives now
  std::string scale, shift, mean, variance;
};

/// Networks whose BatchNormalization was folded bear small steps only; with it they take large ones and end better
/// (docs/finetune.md). Each convolution x -> W x + b gets one behind it that, at first, changes nothing:
///   W x -> scale * (W x - mean) / sqrt(variance) + shift,  scale = sqrt(variance), shift = mean + b,
/// mean and variance by channel, over `data`: images as training shows them, augmented. Left alone: convolutions whose
/// result is an output of the network or reaches one without another layer between, those that share or compute their
/// weights, and those that see one pixel.
class AddedNorms {
 public:
  /// None added.
  AddedNorms() = default;
  AddedNorms(const Model& student, const Dataset& data, std::uint64_t seed);

  [[nodiscard]] std::size_t count() const noexcept { return norms_.size(); }
  /// `student` with the normalizations; `student` itself if there are none.
  [[nodiscard]] Model with(const Model& student) const;
  /// The trained network without them: scale and statistics are in weights and biases again; names as in `student`.
  [[nodiscard]] Model without(const Model& trained) const;

 private:
  struct Start {
    std::vector<double> mean, variance;
  };
  std::vector<AddedNorm> norms_;
  std::vector<Start> starts_;
};

/// Whether a network has a BatchNormalization.
[[nodiscard]] bool has_batchnorm(const Graph& graph);

}  // namespace pare
