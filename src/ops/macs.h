// macs.h - how much arithmetic a node does.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "pare/graph.h"

namespace pare {

/// The shape of a value, nullopt if it is not known.
using ShapeOf = std::function<std::optional<Shape>(std::string_view value)>;

/// Multiply-accumulates of one run of the node, counted as the literature does: products of weights and inputs in
/// convolutions, matrix products and recurrent layers, padding counted as if it were data, biases and everything else
/// (normalization, activations, pooling, element by element arithmetic) not counted. 0 for operators without such
/// products; nullopt if a shape that is needed is not known. Quantized forms (QLinearConv, ConvInteger, QLinearMatMul,
/// MatMulInteger), and ONNX Runtime's fused ones count like the plain ones.
[[nodiscard]] std::optional<std::int64_t> node_macs(const Node& node, const ShapeOf& shape_of);

/// Whether the operator is one of those that node_macs counts products of.
[[nodiscard]] bool has_macs(const Node& node) noexcept;

/// Which inputs of an operator with products are its data (0) and its weight: QLinearConv has them at 0 and 3.
struct ProductInputs {
  std::size_t data = 0, weight = 1;
};
/// nullopt if the node is no convolution or matrix product.
[[nodiscard]] std::optional<ProductInputs> product_inputs(const Node& node) noexcept;

}  // namespace pare
