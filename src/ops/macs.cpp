#include "ops/macs.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "core/words.h"

namespace pare {
namespace {

enum class Kind { kConv, kConvTranspose, kGemm, kMatMul, kRecurrent, kEinsum };
struct Product {
  std::string_view domain, op;
  Kind kind;
  ProductInputs inputs;
};
constexpr std::string_view kRuntime = "com.microsoft";
constexpr std::array kProducts = {
    Product{"", "Conv", Kind::kConv, {0, 1}},
    Product{"", "ConvTranspose", Kind::kConvTranspose, {0, 1}},
    Product{"", "Gemm", Kind::kGemm, {0, 1}},
    Product{"", "MatMul", Kind::kMatMul, {0, 1}},
    Product{"", "Einsum", Kind::kEinsum, {0, 1}},
    Product{"", "ConvInteger", Kind::kConv, {0, 1}},
    Product{"", "QLinearConv", Kind::kConv, {0, 3}},
    Product{"", "MatMulInteger", Kind::kMatMul, {0, 1}},
    Product{"", "QLinearMatMul", Kind::kMatMul, {0, 3}},
    Product{"", "LSTM", Kind::kRecurrent, {0, 1}},
    Product{"", "GRU", Kind::kRecurrent, {0, 1}},
    Product{"", "RNN", Kind::kRecurrent, {0, 1}},
    Product{kRuntime, "FusedConv", Kind::kConv, {0, 1}},
    Product{kRuntime, "NhwcFusedConv", Kind::kConv, {0, 1}},
    Product{kRuntime, "FusedGemm", Kind::kGemm, {0, 1}},
    Product{kRuntime, "FusedMatMul", Kind::kMatMul, {0, 1}},
    Product{kRuntime, "DynamicQuantizeMatMul", Kind::kMatMul, {0, 1}},
    Product{kRuntime, "MatMulIntegerToFloat", Kind::kMatMul, {0, 1}},
    Product{kRuntime, "QGemm", Kind::kGemm, {0, 3}},
    Product{kRuntime, "DynamicQuantizeLSTM", Kind::kRecurrent, {0, 1}},
};

const Product* find_product(const Node& node) noexcept {
  const auto* found = std::find_if(kProducts.begin(), kProducts.end(), [&](const Product& product) {
    return product.op == node.op_type && product.domain == node.domain;
  });
  return found == kProducts.end() ? nullptr : found;
}

constexpr std::int64_t kTooMany = std::int64_t{1} << 55;  // sums of some hundred nodes stay in range

/// Saturates: declared shapes can be absurd.
std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kTooMany : std::min(product, kTooMany);
}
std::int64_t product_of(const Shape& shape, std::size_t from = 0) {
  std::int64_t product = 1;
  for (std::size_t i = from; i < shape.size(); ++i) product = times(product, shape[i]);
  return product;
}

/// Two inputs: every combination of all letters is one product.
std::optional<std::int64_t> einsum(const Node& node, const std::vector<Shape>& shapes) {
  const std::string equation = node.string_or("equation", "");
  const std::vector<std::string> terms = split(equation.substr(0, equation.find("->")), ',');
  if (terms.size() != shapes.size()) return std::nullopt;
  if (terms.size() < 2) return 0;
  std::map<char, std::int64_t> sizes;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    std::string letters;
    for (const char letter : terms[i])
      if (letter != ' ') letters += letter;
    if (letters.size() != shapes[i].size() || letters.find('.') != std::string::npos) return std::nullopt;
    for (std::size_t j = 0; j < letters.size(); ++j) sizes[letters[j]] = std::max(sizes[letters[j]], shapes[i][j]);
  }
  std::int64_t product = static_cast<std::int64_t>(terms.size()) - 1;
  for (const auto& [letter, size] : sizes) product = times(product, size);
  return product;
}

}  // namespace

bool has_macs(const Node& node) noexcept { return find_product(node) != nullptr; }

std::optional<ProductInputs> product_inputs(const Node& node) noexcept {
  const Product* product = find_product(node);
  if (product == nullptr || product->kind == Kind::kRecurrent || product->kind == Kind::kEinsum) return std::nullopt;
  return product->inputs;
}

namespace {

std::optional<std::int64_t> count(const Node& node, const Product* product, const ShapeOf& shape_of) {
  const auto data = shape_of(node.input(product->inputs.data));
  const auto weight = shape_of(node.input(product->inputs.weight));
  const auto output = shape_of(node.output(0));
  switch (product->kind) {
    case Kind::kConv:
      // Each output element: input channels of its group times the kernel.
      if (!output || !weight) return std::nullopt;
      return times(product_of(*output), product_of(*weight, 1));
    case Kind::kConvTranspose:
      // Each input element meets the whole kernel of each output channel of its group.
      if (!data || !weight) return std::nullopt;
      return times(product_of(*data), product_of(*weight, 1));
    case Kind::kGemm:
      if (!data || !weight || data->size() != 2 || weight->size() != 2) return std::nullopt;
      return times(product_of(*data), (*weight)[node.int_or("transB", 0) != 0 ? 0 : 1]);
    case Kind::kMatMul: {
      if (!data || !output || data->empty()) return std::nullopt;
      const bool transposed = node.int_or("transA", 0) != 0 && data->size() > 1;
      return times(product_of(*output), transposed ? (*data)[data->size() - 2] : data->back());
    }
    case Kind::kRecurrent: {
      // Every step of the sequence reads all of W and R once; both hold one matrix per gate and direction.
      const auto recurrent = shape_of(node.input(2));
      if (!data || !weight || !recurrent || data->size() != 3) return std::nullopt;
      return times(times((*data)[0], (*data)[1]), product_of(*weight) + product_of(*recurrent));
    }
    case Kind::kEinsum: {
      std::vector<Shape> shapes;
      for (const std::string& input : node.inputs) {
        const auto shape = shape_of(input);
        if (!shape) return std::nullopt;
        shapes.push_back(*shape);
      }
      return einsum(node, shapes);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> node_macs(const Node& node, const ShapeOf& shape_of) {
  const Product* product = find_product(node);
  if (product == nullptr) return 0;
  const auto macs = count(node, product, shape_of);
  return macs && *macs < kTooMany ? macs : std::nullopt;
}

}  // namespace pare
