// target_scale.h - numbers to be predicted in units of their deviation, whatever their own units are.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pare/graph.h"
#include "train/torch/executor.h"

namespace pare {

/// The layer that ends the network: what it gives is scaled and shifted by its weights alone.
struct OutputLayer {
  at::Tensor weight, bias;    ///< of the executor; bias undefined: none
  std::int64_t axis = 0;      ///< of the weight that counts outputs; -1: they lie on no one axis
  bool by_channel = false;    ///< outputs of the layer are dimension 1 of the network's output
  std::int64_t channels = 0;  ///< 0: unknown
};
/// Of Conv, ConvTranspose, Gemm, MatMul and a bias behind it, seen through Identity and changes of shape; absent if
/// something else ends the network, or others read the layer's result or weights.
[[nodiscard]] std::optional<OutputLayer> find_output_layer(const Graph& graph, const std::string& output,
                                                           const Executor& executor);

/// Sums over values to be predicted and what a network gives for them, by channel or all together; in double.
class TargetSums {
 public:
  /// NaN in `target` counts nowhere. `by_channel`: dimension 1 of both.
  void add(const at::Tensor& output, const at::Tensor& target, bool by_channel);
  [[nodiscard]] bool empty() const;
  [[nodiscard]] at::Tensor mean() const;       ///< of the targets [channels] or [1], float32
  [[nodiscard]] at::Tensor deviation() const;  ///< 1 where all are equal
  [[nodiscard]] at::Tensor root_mean_square() const;
  [[nodiscard]] at::Tensor output_mean() const;
  [[nodiscard]] at::Tensor output_deviation() const;
  [[nodiscard]] at::Tensor output_root_mean_square() const;
  /// 1 - squared error / squared distance to the mean (of the channel), over all channels in units of their deviation.
  [[nodiscard]] double r2() const;

 private:
  at::Tensor count_, target_, target_squared_, output_, output_squared_, error_squared_;
};

/// value -> (value - mean) / deviation. Copied freely; undefined tensors: values stay.
struct TargetScale {
  at::Tensor mean, deviation;  ///< [channels] on dimension 1, or [1]
  bool by_layer = false;       ///< the network's last layer works in these units while it is trained
  [[nodiscard]] bool defined() const { return deviation.defined(); }
  [[nodiscard]] at::Tensor normalized(const at::Tensor& values) const;
};

/// The layer's outputs become factor * outputs + shift; both [channels] or [1]. Without a bias `shift` must be 0.
void rescale(const OutputLayer& layer, const at::Tensor& factor, const at::Tensor& shift);

}  // namespace pare
