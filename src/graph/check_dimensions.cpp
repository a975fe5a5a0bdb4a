#include "graph/check_dimensions.h"

#include "core/fail.h"
#include "pare/model_io.h"

namespace pare {
namespace {

class Checker {
 public:
  explicit Checker(const Model& model) : index_(model.graph), types_(infer_types(model)) {}

  void check(const Node& node, std::int64_t index) {
    label_ = node_label(node, index);
    if (node.is("Conv") || node.is("ConvTranspose")) convolution(node);
    if (node.is("Gemm")) gemm(node);
    if (node.is("BatchNormalization")) batchnorm(node);
    if (node.is("Split")) split(node);
  }

 private:
  using Dims = std::vector<std::optional<std::int64_t>>;

  [[nodiscard]] std::optional<Dims> dims(const std::string& value) const {
    const auto found = types_.find(value);
    if (found == types_.end() || !found->second.shape) return std::nullopt;
    Dims result;
    for (const Dim& dim : *found->second.shape) result.push_back(dim.value);
    return result;
  }

  void require(bool holds, const std::string& what) const {
    if (!holds) fail(ErrorCode::kMalformedModel, "{}: {}", label_, what);
  }
  void equal(const std::optional<std::int64_t>& have, std::int64_t want, const char* what) const {
    require(!have || *have == want, fmt::format("{} is {}, but should be {}", what, have.value_or(0), want));
  }

  void convolution(const Node& node) const {
    const auto input = dims(node.input(0)), weight = dims(node.input(1)), bias = dims(node.input(2));
    const std::int64_t group = node.int_or("group", 1);
    require(group >= 1, fmt::format("group is {}", group));
    if (!weight) return;
    require(weight->size() >= 3, fmt::format("the weight has {} dimensions, at least 3 are needed", weight->size()));
    if (input)
      require(input->size() == weight->size(),
              fmt::format("the input has {} dimensions, the weight {}", input->size(), weight->size()));
    const std::size_t spatial = weight->size() - 2;
    for (const char* name : {"strides", "dilations", "kernel_shape"}) {
      const auto values = node.ints_or(name, {});
      require(values.empty() || values.size() == spatial,
              fmt::format("{} has {} entries for {} spatial dimensions", name, values.size(), spatial));
      for (const std::int64_t value : values) require(value > 0, fmt::format("{} holds {}", name, value));
    }
    const auto pads = node.ints_or("pads", {});
    require(pads.empty() || pads.size() == 2 * spatial,
            fmt::format("pads has {} entries for {} spatial dimensions", pads.size(), spatial));
    const auto kernel = node.ints_or("kernel_shape", {});
    for (std::size_t i = 0; i < kernel.size(); ++i)
      equal((*weight)[2 + i], kernel[i], "a spatial dimension of the weight (kernel_shape)");
    const bool transposed = node.is("ConvTranspose");
    if (input && (*input)[1] && (*weight)[transposed ? 0 : 1]) {
      const std::int64_t wanted = transposed ? *(*input)[1] : *(*input)[1] / group;
      equal((*weight)[transposed ? 0 : 1], wanted,
            transposed ? "weight dimension 0 (input channels)" : "weight dimension 1 (input channels / group)");
      require(*(*input)[1] % group == 0,
              fmt::format("{} input channels do not divide into {} groups", *(*input)[1], group));
    }
    if (!transposed && (*weight)[0])
      require(*(*weight)[0] % group == 0,
              fmt::format("{} output channels do not divide into {} groups", *(*weight)[0], group));
    if (bias && bias->size() == 1 && (*weight)[transposed ? 1 : 0])
      equal((*bias)[0], transposed ? *(*weight)[1] * group : *(*weight)[0], "the length of the bias");
  }

  void gemm(const Node& node) const {
    const auto a = dims(node.input(0)), b = dims(node.input(1));
    if (!a || !b || a->size() != 2 || b->size() != 2) return;
    const auto inner_a = (*a)[node.int_or("transA", 0) ? 0 : 1], inner_b = (*b)[node.int_or("transB", 0) ? 1 : 0];
    if (inner_a) equal(inner_b, *inner_a, "the inner dimension of the weight");
    const auto bias = dims(node.input(2));
    if (!bias) return;
    require(bias->size() <= 2, fmt::format("the bias has {} dimensions, at most 2 are possible", bias->size()));
    const auto columns = (*b)[node.int_or("transB", 0) ? 0 : 1];
    if (columns && !bias->empty() && bias->back() != 1) equal(bias->back(), *columns, "the length of the bias");
  }

  void batchnorm(const Node& node) const {
    const auto input = dims(node.input(0));
    if (!input || input->size() < 2 || !(*input)[1]) return;
    for (const std::size_t i : {1U, 2U, 3U, 4U}) {
      const auto vector = dims(node.input(i));
      if (vector && vector->size() == 1) equal((*vector)[0], *(*input)[1], "the length of a parameter vector");
    }
  }

  void split(const Node& node) const {
    std::vector<std::int64_t> sizes = node.ints_or("split", {});
    if (const Tensor given = index_.constant(node.input(1)); sizes.empty() && given.dtype() == DType::kInt64)
      sizes = given.to_int64s();
    const auto input = dims(node.input(0));
    if (sizes.empty() || !input) return;
    require(sizes.size() == node.outputs.size(),
            fmt::format("{} sizes for {} outputs", sizes.size(), node.outputs.size()));
    std::int64_t axis = node.int_or("axis", 0), sum = 0;
    if (axis < 0) axis += static_cast<std::int64_t>(input->size());
    if (axis < 0 || axis >= static_cast<std::int64_t>(input->size())) return;
    for (const std::int64_t size : sizes) sum += size;
    equal((*input)[static_cast<std::size_t>(axis)], sum, "the split dimension");
  }

  GraphIndex index_;
  ValueTypes types_;
  std::string label_;
};

}  // namespace

void check_dimensions(const Model& model) {
  Checker checker(model);
  for (std::size_t i = 0; i < model.graph.nodes.size(); ++i)
    checker.check(model.graph.nodes[i], static_cast<std::int64_t>(i));
}

}  // namespace pare
