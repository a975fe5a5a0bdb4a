#include "quantize/dynamic.h"

#include <unordered_map>

#include "core/fail.h"
#include "ops/weight_layer.h"
#include "quantize/plan.h"
#include "quantize/weights.h"

namespace pare {
namespace {

Tensor transposed(const Tensor& matrix) {
  const auto data = matrix.data<float>();
  const std::int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  std::vector<float> result(data.size());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      result[static_cast<std::size_t>(c * rows + r)] = data[static_cast<std::size_t>(r * columns + c)];
  return Tensor::of({columns, rows}, result);
}

class Rewriter {
 public:
  Rewriter(const Model& model, const std::vector<std::string>& reasons, bool limit_pairs)
      : source_(model.graph), reasons_(reasons), limit_pairs_(limit_pairs), names_(source_) {
    result_.model = model;
    result_.model.graph.nodes.clear();
    result_.model.graph.value_info.clear();
  }

  DynamicResult rewrite() {
    for (std::size_t i = 0; i < source_.nodes.size(); ++i) {
      const Node& node = source_.nodes[i];
      const std::string label = node_label(node, static_cast<std::int64_t>(i));
      const std::string reason = float_reason(i);
      if (reason.empty()) {
        replace(node);
        result_.done.push_back({label, node.op_type, "int8 weights per column, activations quantized at run time"});
        continue;
      }
      graph().nodes.push_back(node);
      if (is_weight_layer(node)) result_.skipped.push_back({label, node.op_type, reason});
    }
    drop_unread_weights();
    return std::move(result_);
  }

 private:
  Graph& graph() { return result_.model.graph; }

  std::string float_reason(std::size_t i) const {
    const Node& node = source_.nodes[i];
    if (!reasons_.empty() && !reasons_[i].empty()) return reasons_[i];
    if (node.is("Conv") || node.is("ConvTranspose"))
      return "dynamic int8 does not pay for convolutions; remedy: quantize with calibration samples (int8)";
    if (!node.is("MatMul") && !node.is("Gemm")) return "not a matrix product";
    const Tensor weights = source_.constant(node.input(1));
    if (weights.empty()) return "its weights are not constant";
    if (weights.dtype() != DType::kFloat32) return fmt::format("its weights are {}", dtype_name(weights.dtype()));
    if (weights.rank() != 2 || weights.element_count() == 0) return "its weights are no matrix";
    if (!source_.constant(node.input(0)).empty()) return "its input is constant";
    if (node.is("MatMul")) return "";
    if (node.int_or("transA", 0) != 0) return "its input is transposed";
    return "";
  }

  std::string add_node(const char* op, const std::string& output, std::vector<std::string> inputs) {
    Node node;
    node.op_type = op;
    node.name = names_.fresh(output + "_" + op);
    node.inputs = std::move(inputs);
    node.outputs = {output};
    graph().nodes.push_back(std::move(node));
    return output;
  }

  struct Activation {
    std::string values, scale, zero_point;
  };

  /// One for all products that read the value.
  const Activation& activation(const std::string& value) {
    const auto known = activations_.find(value);
    if (known != activations_.end()) return known->second;
    Activation made{names_.fresh(value + "_q"), names_.fresh(value + "_scale"), names_.fresh(value + "_zero_point")};
    add_node("DynamicQuantizeLinear", made.values, {value});
    graph().nodes.back().outputs = {made.values, made.scale, made.zero_point};
    return activations_.emplace(value, std::move(made)).first->second;
  }

  struct Weights {
    std::string values, scales, zero_points;
  };

  /// One stored copy for all products that read the weights in the same orientation.
  const Weights& weights(const std::string& name, bool transpose) {
    const std::string key = name + (transpose ? " T" : "");
    const auto known = weights_.find(key);
    if (known != weights_.end()) return known->second;
    const Tensor matrix = transpose ? transposed(source_.constant(name)) : source_.constant(name);
    const QuantizedWeights quantized = quantize_weights(matrix, {.axis = 1, .limit_pairs = limit_pairs_});
    const Weights made{names_.fresh(name + "_q"), names_.fresh(name + "_scale"), names_.fresh(name + "_zero_point")};
    const auto columns = static_cast<std::int64_t>(quantized.scales.size());
    graph().initializers.set(made.values, quantized.values);
    graph().initializers.set(made.scales, Tensor::of({columns}, quantized.scales));
    graph().initializers.set(made.zero_points, Tensor::zeros(DType::kInt8, {columns}));
    return weights_.emplace(key, made).first->second;
  }

  void replace(const Node& node) {
    const bool gemm = node.is("Gemm");
    const Weights stored = weights(node.input(1), gemm && node.int_or("transB", 0) != 0);
    const Activation input = activation(node.input(0));
    const std::string& output = node.output(0);
    const bool biased = gemm && !node.input(2).empty();
    const std::string sum = add_node("MatMulInteger", names_.fresh(output + "_sum"),
                                     {input.values, stored.values, input.zero_point, stored.zero_points});
    const std::string real = add_node("Cast", names_.fresh(output + "_cast"), {sum});
    graph().nodes.back().set_attribute("to", static_cast<std::int64_t>(DType::kFloat32));
    std::string scales = add_node("Mul", names_.fresh(output + "_scales"), {input.scale, stored.scales});
    if (gemm && node.float_or("alpha", 1) != 1) scales = scaled(scales, node.float_or("alpha", 1));
    const std::string product = biased ? names_.fresh(output + "_product") : output;
    add_node("Mul", product, {real, scales});
    if (!biased) return;
    std::string bias = node.input(2);
    if (node.float_or("beta", 1) != 1) bias = scaled(bias, node.float_or("beta", 1));
    add_node("Add", output, {product, bias});
  }

  std::string scaled(const std::string& value, float factor) {
    const std::string constant = names_.fresh(value + "_factor");
    graph().initializers.set(constant, Tensor::scalar(factor));
    return add_node("Mul", names_.fresh(value + "_scaled"), {value, constant});
  }

  void drop_unread_weights() {
    const GraphIndex before(source_), now(graph());
    const auto orphaned = [&](const std::string& name) {
      return now.uses(name).empty() && !now.is_output(name) && !before.uses(name).empty();
    };
    std::erase_if(graph().nodes, [&](const Node& node) { return node.is("Constant") && orphaned(node.output(0)); });
    graph().initializers.keep_if([&](const std::string& name) { return !orphaned(name); });
    std::erase_if(result_.model.weights_as_inputs,
                  [&](const ValueInfo& input) { return !graph().initializers.contains(input.name); });
  }

  const Graph& source_;
  const std::vector<std::string>& reasons_;
  bool limit_pairs_;
  NameGenerator names_;
  DynamicResult result_;
  std::unordered_map<std::string, Activation> activations_;
  std::unordered_map<std::string, Weights> weights_;
};

}  // namespace

DynamicResult quantize_dynamic(const Model& model, const std::vector<std::string>& reasons, bool limit_pairs) {
  return Rewriter(model, reasons, limit_pairs).rewrite();
}

}  // namespace pare
