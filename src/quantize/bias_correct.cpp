#include "quantize/bias_correct.h"

#include <algorithm>

#include "core/fail.h"
#include "quantize/observe.h"
#include "quantize/weights.h"

namespace pare {
namespace {

/// The float network and, beside each quantized layer y = f(x, W), the mean over samples and positions of
/// f(x, W) - f(DQ(Q(x)), DQ(Wq)): by linearity f(x, W) - f(x', W') with the biases left out.
class Twin {
 public:
  Twin(const Model& model, const Plan& plan, const Ranges& ranges, bool limit_pairs)
      : model_(model), source_(model.graph), plan_(plan), ranges_(ranges), limit_pairs_(limit_pairs), names_(source_) {
    for (std::size_t i = 0; i < source_.nodes.size(); ++i) {
      const Node& node = source_.nodes[i];
      if (plan.states[i] != NodeState::kInteger || !(node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm")))
        continue;
      add_layer(i, node);
    }
    sort_topologically(model_.graph);
  }

  [[nodiscard]] const Model& model() const { return model_; }
  /// Value that holds the difference of a node, by node index.
  [[nodiscard]] const std::map<std::size_t, std::string>& differences() const { return differences_; }

 private:
  std::string add_node(const char* op, const std::string& output, std::vector<std::string> inputs) {
    Node node;
    node.op_type = op;
    node.name = names_.fresh(output + "_node");
    node.inputs = std::move(inputs);
    node.outputs = {names_.fresh(output)};
    model_.graph.nodes.push_back(std::move(node));
    return model_.graph.nodes.back().outputs[0];
  }

  std::string add_constant(const std::string& name, Tensor tensor) {
    const std::string fresh = names_.fresh(name);
    model_.graph.initializers.set(fresh, std::move(tensor));
    return fresh;
  }

  const std::string& image_of(const std::string& value) {
    const auto known = images_.find(value);
    if (known != images_.end()) return known->second;
    const QuantParams params = params_of(ranges_.find(plan_.range_of.at(value))->second);
    const std::string scale = add_constant(value + "_scale", Tensor::scalar(params.scale));
    const std::string zero = add_constant(value + "_zero", Tensor::scalar(params.zero_point));
    const std::string stored = add_node("QuantizeLinear", value + "_q", {value, scale, zero});
    return images_.emplace(value, add_node("DequantizeLinear", value + "_dq", {stored, scale, zero})).first->second;
  }

  void add_layer(std::size_t i, const Node& node) {
    const Tensor weights = source_.constant(node.input(1));
    const auto axis = output_axis(node, weights.rank());
    const std::int64_t channels = output_channels(node, weights);
    const float scale = params_of(ranges_.find(plan_.range_of.at(node.input(0)))->second).scale;
    WeightOptions options{.axis = axis, .limit_pairs = limit_pairs_};
    options.floors = bias_floor(channel_bias(node, source_, channels), scale);
    const QuantizedWeights quantized = quantize_weights(weights, options);
    const std::string values = add_constant(node.input(1) + "_q", quantized.values);
    const auto count = static_cast<std::int64_t>(quantized.scales.size());
    const std::string scales =
        add_constant(node.input(1) + "_scale", Tensor::of(axis ? Shape{count} : Shape{}, quantized.scales));
    const std::string image = add_node("DequantizeLinear", node.input(1) + "_dq", {values, scales});
    if (axis) model_.graph.nodes.back().set_attribute("axis", *axis);
    const auto run_layer = [&](const std::string& input, const std::string& with) {
      const std::string output = add_node(node.op_type.c_str(), node.output(0) + "_twin", {input, with});
      model_.graph.nodes.back().attributes = node.attributes;
      return output;
    };
    const std::string real = run_layer(node.input(0), node.input(1));
    const std::string quantized_result = run_layer(image_of(node.input(0)), image);
    const std::string difference = add_node("Sub", node.output(0) + "_difference", {real, quantized_result});
    const std::string mean = add_node("ReduceMean", node.output(0) + "_shift", {difference});
    std::vector<std::int64_t> axes = {0};
    for (std::int64_t d = 2; d < weights.rank(); ++d) axes.push_back(d);
    Node& reduce = model_.graph.nodes.back();
    // From opset 18 on the axes are an input.
    if (model_.opset() >= 18)
      reduce.inputs.push_back(add_axes(axes));
    else
      reduce.set_attribute("axes", axes);
    reduce.set_attribute("keepdims", std::int64_t{0});
    differences_.emplace(i, mean);
  }

  std::string add_axes(const std::vector<std::int64_t>& axes) {
    return add_constant("axes", Tensor::of({static_cast<std::int64_t>(axes.size())}, axes));
  }

  Model model_;
  const Graph& source_;
  const Plan& plan_;
  const Ranges& ranges_;
  bool limit_pairs_;
  NameGenerator names_;
  std::map<std::string, std::string> images_;
  std::map<std::size_t, std::string> differences_;
};

}  // namespace

std::map<std::size_t, std::vector<double>> measure_bias_shift(const Model& model, const Plan& plan,
                                                              const Ranges& ranges, bool limit_pairs,
                                                              const Dataset& data, const BiasShiftOptions& options,
                                                              ProgressSink& progress) {
  const Twin twin(model, plan, ranges, limit_pairs);
  if (twin.differences().empty()) return {};
  const std::int64_t batch_size = fixed_batch(model.graph.inputs).value_or(1);
  const std::vector<std::int64_t> indices = calibration_indices(data, options.samples, batch_size, options.seed);
  SessionOptions session_options = options.session;
  session_options.force_float32 = true;
  session_options.extra_outputs.clear();
  std::map<std::string, std::size_t> node_of;
  for (const auto& [node, value] : twin.differences()) {
    session_options.extra_outputs.push_back(value);
    node_of.emplace(value, node);
  }
  const std::unique_ptr<Session> session = open_session(twin.model(), session_options);
  std::map<std::size_t, std::vector<double>> shift;
  ProgressTask task(progress, "correct biases", static_cast<std::int64_t>(indices.size()), "samples");
  std::int64_t batches = 0;
  for (std::size_t start = 0; start < indices.size(); start += static_cast<std::size_t>(batch_size)) {
    const Batch batch = data.batch(std::span(indices).subspan(start, static_cast<std::size_t>(batch_size)));
    const std::vector<Tensor> results = session->run(batch.inputs);
    for (std::size_t k = 0; k < results.size(); ++k) {
      const auto node = node_of.find(session->outputs()[k].name);
      if (node == node_of.end()) continue;
      const auto means = results[k].data<float>();
      std::vector<double>& sum = shift[node->second];
      sum.resize(means.size(), 0.0);
      for (std::size_t c = 0; c < means.size(); ++c) sum[c] += static_cast<double>(means[c]);
    }
    ++batches;
    task.advance(static_cast<std::int64_t>(start) + batch_size);
  }
  for (auto& [node, sum] : shift)
    for (double& value : sum) value /= static_cast<double>(batches);
  return shift;
}

}  // namespace pare
