// executor.h - an ONNX graph run on torch, with gradients to its weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"
#include "train/lower/lower.h"
#include "train/torch/quantized_graph.h"

namespace pare {

/// A weight that training changes.
struct TrainedTensor {
  std::string name;    ///< initializer, or output of the Constant node; integers that stand for it have its name
  at::Tensor tensor;   ///< float32 leaf; requires a gradient
  bool decays = true;  ///< weight decay applies: not to biases, normalization and slopes
};

/// Running statistics of a normalization, and others that training changes without a gradient.
struct TrainedBuffer {
  std::string name;
  at::Tensor tensor;
};

struct ExecutorOptions {
  bool trainable = true;      ///< false: a teacher; no gradients anywhere
  bool channels_last = true;  ///< memory format of 4-d activations and weights; results are the same
  /// Values that run() gives; empty: the graph's outputs. Nodes that none of them needs are not run. Throws
  /// Error(kInvalidArgument) with the nearest names.
  std::vector<std::string> results = {};
  /// Weights stored as integers behind DequantizeLinear are trained as floats that are rounded in every pass.
  bool quantization_aware = false;
  bool learn_ranges = false;         ///< scales of activations as well (LSQ)
  bool learn_weight_ranges = false;  ///< scales of weights as well
};

/// Stays where it was made: its operators refer to it. Throws Error(kUnsupported) listing every node that has no
/// lowering, before anything runs. Not thread-safe.
class Executor {
 public:
  explicit Executor(const Model& model, const ExecutorOptions& options = {});

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The results in order, as they were computed (bfloat16 if so asked).
  [[nodiscard]] std::vector<at::Tensor> run(const std::map<std::string, at::Tensor>& inputs, const PassOptions& pass);

  [[nodiscard]] std::vector<TrainedTensor>& parameters() noexcept { return parameters_; }
  [[nodiscard]] const std::vector<TrainedTensor>& parameters() const noexcept { return parameters_; }
  [[nodiscard]] std::vector<TrainedBuffer>& buffers() noexcept { return buffers_; }
  /// Weights and statistics by name: the tensors themselves, not copies.
  [[nodiscard]] std::map<std::string, at::Tensor> state() const;
  /// Copies into them. Throws Error(kMalformedModel) naming one that is missing or has another shape.
  void set_state(const std::map<std::string, at::Tensor>& state);
  /// Learned scales stay positive and near what calibration gave: a quarter to four times of it.
  void bound_scales();
  /// Weights that are stored as integers, trained or not.
  [[nodiscard]] std::int64_t integer_weights() const noexcept { return integer_weights_; }
  [[nodiscard]] const QuantizedGraph& quantized() const noexcept { return quantized_; }
  [[nodiscard]] bool has_batchnorm() const noexcept { return !buffers_.empty(); }

  /// The model with the weights and statistics as they are now; names, structure and metadata unchanged. Subnormal
  /// numbers become 0: they would slow every inference down (pitfall A35).
  [[nodiscard]] Model export_model() const;

  /// Nodes of a model that cannot be trained through, with the reason; empty: it can be trained.
  [[nodiscard]] static std::vector<NodeReason> refusals(const Model& model);

 private:
  struct Op {
    std::int64_t node = 0;
    TorchKernel kernel;
    std::vector<std::int64_t> inputs, outputs;  ///< slots; -1: left out
    std::vector<std::int64_t> last_read;        ///< slots that nobody reads after this op
  };
  void find_parameters();
  [[nodiscard]] std::set<std::string> find_integer_weights();
  void find_quantized_parameters();
  void learn_scales(const std::set<std::string>& names);
  [[nodiscard]] Op make_op(std::int64_t node);
  [[nodiscard]] at::Tensor constant_of(const std::string& name) const;
  [[nodiscard]] at::Tensor scale_of(const StoredWeight& weight) const;
  void plan(const std::vector<std::string>& results);
  [[nodiscard]] std::int64_t slot_of(const std::string& value);
  void run_op(const Op& op, std::vector<at::Tensor>& slots, const PassOptions& pass) const;

  Model model_;
  ExecutorOptions options_;
  std::vector<Op> ops_;
  std::map<std::string, std::int64_t> slots_;
  std::vector<at::Tensor> constants_;  ///< by slot: constants, weights, statistics, and what follows from constants
  std::vector<std::int64_t> results_;
  std::vector<TrainedTensor> parameters_;
  std::vector<TrainedBuffer> buffers_;
  QuantizedGraph quantized_;
  std::int64_t integer_weights_ = 0;
  /// A learned scale and what it began with.
  struct LearnedScale {
    std::string name;
    at::Tensor tensor, start;
  };
  std::vector<LearnedScale> scales_;
};

}  // namespace pare
