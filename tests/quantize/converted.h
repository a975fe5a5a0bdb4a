// converted.h - small networks converted to float16, and how far what comes out is from what went in.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "pare/dataset.h"
#include "pare/model_io.h"
#include "pare/session.h"
#include "quantize/convert.h"

namespace pare::testing {

/// The same inputs again and again, as calibration data.
class Given : public Dataset {
 public:
  explicit Given(NamedTensors inputs) : inputs_(std::move(inputs)) {}
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return 8; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "given inputs"; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.inputs = inputs_;
    batch.size = static_cast<std::int64_t>(indices.size());
    return batch;
  }
  [[nodiscard]] std::string fingerprint() const override { return "given"; }

 private:
  NamedTensors inputs_;
};

inline Tensor random_tensor(Shape shape, double scale, std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.uniform(-scale, scale));
  return Tensor::of<float>(std::move(shape), values);
}

inline Model text_model(const std::string& text, const std::map<std::string, Shape>& weights = {}) {
  Model model = model_from_text(text);
  std::uint64_t seed = 1;
  for (const auto& [name, shape] : weights) model.graph.initializers.set(name, random_tensor(shape, 0.5, ++seed));
  return model;
}

inline StepResult converted(const Model& model, const std::map<std::string, std::string>& values = {},
                            const NamedTensors& data = {}) {
  const StepInfo step = convert();
  Context context;
  if (!data.empty()) context.data = std::make_shared<Given>(data);
  StepResult result = step.run(model, StepOptions(step.options, values), context);
  check_model(result.model);
  return result;
}
inline const std::map<std::string, std::string> kKeepIo = {{"keep-io", "true"}};

inline const Node& node_of(const Model& model, std::string_view name) {
  for (const Node& node : model.graph.nodes)
    if (node.name == name || node.op_type == name) return node;
  ADD_FAILURE() << "no node " << name << " in\n" << model_to_text(model);
  static const Node kNone;
  return kNone;
}

inline std::int64_t count(const Model& model, std::string_view op) {
  return std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [&](const Node& node) { return node.op_type == op; });
}
inline DType type_of(const Model& model, const std::string& value) {
  if (const Tensor* tensor = model.graph.initializers.find(value)) return tensor->dtype();
  const ValueTypes types = infer_types(model);
  const auto found = types.find(value);
  return found == types.end() ? DType::kUndefined : found->second.dtype;
}
inline DType input_type(const Model& model, std::string_view node, std::size_t index) {
  return type_of(model, node_of(model, node).input(index));
}
inline std::string reason(const StepResult& result, std::string_view op) {
  for (const NodeReason& skipped : result.skipped)
    if (skipped.op_type == op || skipped.node == op) return skipped.reason;
  return "(none)";
}

/// Both models on the same inputs, in ONNX Runtime with optimizations on and off; the worst difference of an output as
/// a share of its range.
inline double difference(const Model& before, const Model& after, const NamedTensors& inputs) {
  double worst = 0;
  const std::vector<Tensor> wanted = open_session(before)->run(inputs);
  NamedTensors fitting = inputs;
  for (auto& [name, tensor] : fitting)
    if (after.graph.find_input(name)->dtype == DType::kFloat16) {
      std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.element_count()) * 2);
      const auto values = tensor.to_floats();
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t half = float_to_half(values[i]);
        bytes[2 * i] = static_cast<std::byte>(half & 0xFF);
        bytes[2 * i + 1] = static_cast<std::byte>(half >> 8);
      }
      tensor = Tensor::from_bytes(DType::kFloat16, tensor.shape(), std::move(bytes));
    }
  for (const bool optimize : {true, false}) {
    SessionOptions options;
    options.optimize = optimize;
    const std::vector<Tensor> got = open_session(after, options)->run(fitting);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto a = wanted[i].to_floats(), b = got[i].to_floats();
      double range = 1e-30, gap = 0;
      for (std::size_t j = 0; j < a.size(); ++j) {
        if (std::isnan(a[j]) != std::isnan(b[j])) return 1e30;
        range = std::max(range, std::abs(static_cast<double>(a[j])));
        gap = std::max(gap, std::abs(static_cast<double>(a[j]) - b[j]));
      }
      worst = std::max(worst, gap / range);
    }
  }
  return worst;
}

inline constexpr const char* kTwoConvs = R"(<ir_version: 8, opset_import: ["" : 17]>
  net (float[N,3,8,8] x) => (float[N,4,8,8] y) {
    [conv1] a = Conv <pads = [1,1,1,1]> (x, w1, b1)
    [relu1] r = Relu (a)
    [conv2] y = Conv <pads = [1,1,1,1]> (r, w2)
  })";
inline Model two_convs() { return text_model(kTwoConvs, {{"w1", {8, 3, 3, 3}}, {"b1", {8}}, {"w2", {4, 8, 3, 3}}}); }

}  // namespace pare::testing
