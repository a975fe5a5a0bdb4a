// Before   y = Conv<strides, pads, dilations>(x, w, b)
// After    t = Conv<of axis 0>(x, w_first), y = Conv<of axis 1>(t, w_second, b)
// Tucker-2 t = Conv(x, w_first), u = Conv<strides, pads, dilations>(t, w_second), y = Conv(u, w_last, b)
// Of a ConvTranspose one factor is a ConvTranspose with all its attributes, the other one a Conv of 1 x 1.
// Padding stays right because only the last factor has a bias: what is outside is 0 everywhere.
#include "factorize/split_layer.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/fail.h"

namespace pare {
namespace {

std::vector<float> to_floats(const Matrix& a) { return {a.values.begin(), a.values.end()}; }

/// second[o, (a, r)] as [o, r, a].
Matrix by_channel(const Factors& factors) {
  const std::int64_t taps = factors.second.cols / factors.rank;
  Matrix result(factors.second.rows, factors.second.cols);
  for (std::int64_t o = 0; o < result.rows; ++o)
    for (std::int64_t a = 0; a < taps; ++a)
      for (std::int64_t k = 0; k < factors.rank; ++k)
        result.at(o, k * taps + a) = factors.second.at(o, a * factors.rank + k);
  return result;
}

/// Along which axes the first factor has the kernel.
std::vector<bool> axes_of_first(const LinearLayer& layer, FactorKind kind) {
  const std::size_t axes = layer.kernel.size();
  if (kind == FactorKind::kVertical) return {true, false};
  if (kind == FactorKind::kHorizontal) return {false, true};
  return std::vector<bool>(axes, kind == FactorKind::kChannel);
}

/// The layer's attributes along these axes; 1, 0 and 1 along the others.
void set_window(Node& node, const LinearLayer& layer, const std::vector<bool>& own) {
  const std::size_t axes = layer.kernel.size();
  Shape kernel(axes, 1), strides(axes, 1), dilations(axes, 1), pads(2 * axes, 0);
  bool any = false;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    if (!own[axis]) continue;
    any = true;
    kernel[axis] = layer.kernel[axis];
    strides[axis] = layer.strides[axis];
    dilations[axis] = layer.dilations[axis];
    pads[axis] = layer.pads[axis];
    pads[axis + axes] = layer.pads[axis + axes];
  }
  node.remove_attribute("auto_pad");
  node.remove_attribute("pads");
  node.set_attribute("kernel_shape", kernel);
  node.set_attribute("strides", strides);
  node.set_attribute("dilations", dilations);
  const bool explicit_pads = layer.auto_pad == "NOTSET" || layer.auto_pad.empty();
  if (explicit_pads || !any)
    node.set_attribute("pads", pads);
  else
    node.set_attribute("auto_pad", layer.auto_pad);
}

class Splitter {
 public:
  explicit Splitter(const Model& model) : model_(model), names_(model_.graph) {}

  void split(const SplitLayer& one) {
    const Node& node = model_.graph.nodes[static_cast<std::size_t>(one.layer.node)];
    const std::string base = node.name.empty() ? node.output(0) : node.name;
    gone_.push_back(node.input(1));
    Node first, second = node;
    first.op_type = node.op_type;
    first.name = names_.fresh(base + "_first");
    first.inputs = {node.input(0), names_.fresh(base + "_first_weight")};
    first.outputs = {names_.fresh(base + "_first_out")};
    second.inputs[0] = first.outputs[0];
    second.inputs[1] = names_.fresh(base + "_second_weight");
    if (one.layer.transposed)
      set_transposed(one, first, second);
    else if (one.layer.convolution)
      set_convolutions(one, first, second);
    else
      set_matrices(one, first, second);
    std::vector<Node>& nodes = new_nodes_[one.layer.node];
    if (one.factors.outer == 0) {
      nodes = {std::move(first), std::move(second)};
      return;
    }
    Node last = second;
    last.inputs[1] = names_.fresh(base + "_last_weight");
    set_window(last, one.layer, std::vector<bool>(one.layer.kernel.size(), false));
    Shape shape(one.layer.kernel.size() + 2, 1);
    shape[0] = one.layer.outputs;
    shape[1] = one.factors.outer;
    model_.graph.initializers.set(last.inputs[1], Tensor::of(shape, to_floats(one.factors.last)));
    second.inputs.resize(2);
    second.name = names_.fresh(base + "_second");
    second.outputs = {names_.fresh(base + "_second_out")};
    last.inputs[0] = second.outputs[0];
    nodes = {std::move(first), std::move(second), std::move(last)};
  }

  Model finish() {
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < model_.graph.nodes.size(); ++i) {
      Node& node = model_.graph.nodes[i];
      const auto split = new_nodes_.find(static_cast<std::int64_t>(i));
      const bool old_constant =
          node.is("Constant") && std::find(gone_.begin(), gone_.end(), node.output(0)) != gone_.end();
      if (old_constant) continue;
      if (split == new_nodes_.end()) {
        nodes.push_back(std::move(node));
      } else {
        for (Node& part : split->second) nodes.push_back(std::move(part));
      }
    }
    model_.graph.nodes = std::move(nodes);
    model_.graph.initializers.keep_if(
        [&](const std::string& name) { return std::find(gone_.begin(), gone_.end(), name) == gone_.end(); });
    return std::move(model_);
  }

 private:
  void set_convolutions(const SplitLayer& one, Node& first, Node& second) {
    const std::vector<bool> early = axes_of_first(one.layer, one.fold.kind);
    std::vector<bool> late = early;
    late.flip();
    const std::int64_t made = one.factors.outer == 0 ? one.layer.outputs : one.factors.outer;
    Shape first_shape = {one.layer.groups * one.factors.rank, one.layer.inputs},
          second_shape = {made, one.factors.rank};
    for (std::size_t axis = 0; axis < early.size(); ++axis) {
      first_shape.push_back(early[axis] ? one.layer.kernel[axis] : 1);
      second_shape.push_back(late[axis] ? one.layer.kernel[axis] : 1);
    }
    if (one.layer.groups > 1) first.set_attribute("group", one.layer.groups);
    set_window(first, one.layer, early);
    set_window(second, one.layer, late);
    model_.graph.initializers.set(first.inputs[1], Tensor::of(first_shape, to_floats(one.factors.first)));
    model_.graph.initializers.set(second.inputs[1], Tensor::of(second_shape, to_floats(by_channel(one.factors))));
  }

  /// The transposed one of both keeps all attributes of the layer, the other one is a Conv of 1 x 1.
  void set_transposed(const SplitLayer& one, Node& first, Node& second) {
    const bool early = one.fold.kind == FactorKind::kChannel;
    const std::int64_t rank = one.factors.rank, inputs = one.layer.inputs, outputs = one.layer.outputs;
    const Node& node = model_.graph.nodes[static_cast<std::size_t>(one.layer.node)];
    if (early) first.attributes = node.attributes;
    Node& thin = early ? second : first;
    thin.op_type = "Conv";
    thin.attributes.clear();
    set_window(thin, one.layer, std::vector<bool>(one.layer.kernel.size(), false));
    // first[r, (i, t)] as [i, r, t]; second[o, (t, r)] as [r, o, t].
    const std::int64_t taps = one.layer.taps;
    Matrix whole(early ? inputs : rank, (early ? rank : outputs) * taps);
    for (std::int64_t a = 0; a < whole.rows; ++a)
      for (std::int64_t b = 0; b < whole.cols / taps; ++b)
        for (std::int64_t t = 0; t < taps; ++t)
          whole.at(a, b * taps + t) =
              early ? one.factors.first.at(b, a * taps + t) : one.factors.second.at(b, t * rank + a);
    Shape shape = {whole.rows, whole.cols / taps}, thin_shape(one.layer.kernel.size() + 2, 1);
    shape.insert(shape.end(), one.layer.kernel.begin(), one.layer.kernel.end());
    thin_shape[0] = early ? outputs : rank;
    thin_shape[1] = early ? rank : inputs;
    model_.graph.initializers.set((early ? first : second).inputs[1], Tensor::of(shape, to_floats(whole)));
    model_.graph.initializers.set(thin.inputs[1],
                                  Tensor::of(thin_shape, to_floats(early ? one.factors.second : one.factors.first)));
  }

  void set_matrices(const SplitLayer& one, Node& first, Node& second) {
    const std::int64_t rank = one.factors.rank;
    if (first.is("Gemm")) {
      first.set_attribute("transB", std::int64_t{1});
      second.set_attribute("transB", std::int64_t{1});
      model_.graph.initializers.set(first.inputs[1],
                                    Tensor::of({rank, one.layer.inputs}, to_floats(one.factors.first)));
      model_.graph.initializers.set(second.inputs[1],
                                    Tensor::of({one.layer.outputs, rank}, to_floats(one.factors.second)));
    } else {
      model_.graph.initializers.set(first.inputs[1],
                                    Tensor::of({one.layer.inputs, rank}, to_floats(transposed(one.factors.first))));
      model_.graph.initializers.set(second.inputs[1],
                                    Tensor::of({rank, one.layer.outputs}, to_floats(transposed(one.factors.second))));
    }
  }

  Model model_;
  NameGenerator names_;
  std::vector<std::string> gone_;
  std::unordered_map<std::int64_t, std::vector<Node>> new_nodes_;
};

}  // namespace

Model split_layers(const Model& model, const std::vector<SplitLayer>& splits) {
  Splitter splitter(model);
  for (const SplitLayer& one : splits) splitter.split(one);
  return splitter.finish();
}

}  // namespace pare
