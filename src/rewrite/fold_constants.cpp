// Before:        W(float16) -> Cast(float) -> Conv;   Shape(x[N,3,32,32]) -> Gather(1) -> Concat -> Reshape
// After:         W'(float) -> Conv;                   the constant 3 -> Concat -> Reshape
// Fires when:    Constant nodes (they become initializers); Shape, Size and Gather of a Shape where the dimensions
// asked
//                for are numbers that follow from the inputs; every other node all of whose inputs are constants
// Declines when: the result is larger than 1024 bytes plus its constants, unless it is the weight of a Conv,
//                ConvTranspose, Gemm, MatMul or BatchNormalization; with ConstantOfShape, Expand, Tile, Range, EyeLike,
//                OneHot, Resize or Pad among its makers it may add 64 bytes only, weight or not: such nodes are how a
//                file stays small, and a runtime computes them once as it loads. Never QuantizeLinear and
//                DequantizeLinear (folding would turn int8 weights into float32), random operators, control flow, other
//                domains, and nodes that make an output of the graph.
// Formula:       the constant part of the graph is run once, unoptimized, in the runtime
#include <algorithm>
#include <unordered_set>

#include "core/fail.h"
#include "rewrite/constant_region.h"
#include "rewrite/rewrites.h"

namespace pare {
namespace {

void constants_to_initializers(GraphEdit& edit) {
  for (std::int64_t i = 0; i < edit.node_count(); ++i) {
    const Node& node = edit.node(i);
    if (!node.is("Constant") || edit.is_output(node.output(0))) continue;
    const Tensor tensor = edit.constant(node.output(0));
    if (tensor.empty()) {
      edit.skip(i, "its value is sparse");
      continue;
    }
    edit.remove_node(i);
    edit.change_model().graph.initializers.set(node.output(0), tensor);
    edit.done(i, "became an initializer");
  }
}

/// Replaces a node's one output by a constant of the same name.
void replace_by(GraphEdit& edit, std::int64_t index, Tensor tensor, std::string reason) {
  const std::string output = edit.node(index).output(0);
  edit.remove_node(index);
  edit.change_model().graph.initializers.set(output, std::move(tensor));
  edit.done(index, std::move(reason));
}

/// The dimensions a Shape node gives, -1 where they are not known; nullopt if even their number is not.
std::optional<Shape> shape_result(const GraphEdit& edit, const Node& shape_node) {
  const auto shape = edit.known_shape(shape_node.input(0));
  if (!shape) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(shape->size());
  const auto clamp = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t start = clamp(shape_node.int_or("start", 0)), end = clamp(shape_node.int_or("end", rank));
  if (start >= end) return Shape{};
  return Shape(shape->begin() + start, shape->begin() + end);
}

bool all_known(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](std::int64_t dim) { return dim > 0; });
}

void fold_gathered_dims(GraphEdit& edit, std::int64_t index) {
  const Node& node = edit.node(index);
  const std::int64_t maker = edit.producer(node.input(0));
  const Tensor indices = edit.constant(node.input(1));
  if (maker < 0 || !edit.node(maker).is("Shape") || indices.empty() || node.int_or("axis", 0) != 0) return;
  const auto dims = shape_result(edit, edit.node(maker));
  if (!dims) return;
  Shape gathered;
  for (std::int64_t at : indices.to_int64s()) {
    if (at < 0) at += static_cast<std::int64_t>(dims->size());
    if (at < 0 || at >= static_cast<std::int64_t>(dims->size()) || (*dims)[static_cast<std::size_t>(at)] <= 0) return;
    gathered.push_back((*dims)[static_cast<std::size_t>(at)]);
  }
  replace_by(edit, index, Tensor::of<std::int64_t>(indices.shape(), gathered), "the dimensions are known");
}

void fold_known_shapes(GraphEdit& edit) {
  for (std::int64_t i = 0; i < edit.node_count(); ++i) {
    if (edit.removed(i) || edit.is_output(edit.node(i).output(0))) continue;
    const Node& node = edit.node(i);
    if (node.is("Gather")) fold_gathered_dims(edit, i);
    if (!node.is("Shape") && !node.is("Size")) continue;
    const auto dims = shape_result(edit, node);
    if (!dims || !all_known(*dims)) continue;
    const auto rank = static_cast<std::int64_t>(dims->size());
    if (node.is("Shape"))
      replace_by(edit, i, Tensor::of<std::int64_t>({rank}, *dims), "the shape is known");
    else
      replace_by(edit, i, Tensor::scalar<std::int64_t>(element_count(*dims)), "the size is known");
  }
}

StepResult run(const Model& model, Context& context) {
  GraphEdit edit(model);
  constants_to_initializers(edit);
  fold_known_shapes(edit);
  fold_constant_region(edit, context);
  return edit.finish();
}

}  // namespace

StepInfo fold_constants() { return rewrite_step("fold_constants", "Computes once what depends on no input", run); }

}  // namespace pare
