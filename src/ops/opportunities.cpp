#include "ops/opportunities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/follow_channels.h"

namespace pare {
namespace {

/// A matrix smaller than this is not worth two.
constexpr std::int64_t kSmallestFactoredMatrix = 64 * 1024;

class Finder {
 public:
  Finder(const Graph& graph, const ConstantRoots& constants, const ShapeOf& shape_of,
         const std::function<DType(const std::string&)>& dtype_of)
      : graph_(graph), constants_(constants), shape_of_(shape_of), dtype_of_(dtype_of) {}

  std::vector<Opportunity> run() const {
    return {collect("fold_batchnorm", &Finder::fold_batchnorm),
            collect("int8", &Finder::int8),
            collect("int8 dynamic", &Finder::int8_dynamic),
            collect("fp16", &Finder::fp16),
            collect("prune", &Finder::prune),
            collect("low rank", &Finder::low_rank)};
  }

 private:
  /// nullopt: the technique has nothing to do with such a node. Else whether it can act, and a word on it.
  struct Verdict {
    bool can = false;
    std::string note;
  };
  using Judge = std::optional<Verdict> (Finder::*)(const Node&) const;
  static Verdict yes(std::string note = {}) { return {true, std::move(note)}; }
  static Verdict no(std::string note) { return {false, std::move(note)}; }

  Opportunity collect(const char* technique, Judge judge) const {
    Opportunity found;
    found.technique = technique;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (constants_.computes_constants(node)) continue;
      const auto verdict = (this->*judge)(node);
      if (!verdict) continue;
      const auto index = static_cast<std::int64_t>(i);
      (verdict->can ? found.can : found.cannot)
          .push_back({index, node_label(node, index), node.op_type, verdict->note});
    }
    return found;
  }

  [[nodiscard]] bool constant(const Node& node, std::size_t input) const {
    return node.input(input).empty() || constants_.is_constant(node.input(input));
  }
  [[nodiscard]] const Node* producer(const std::string& value) const {
    const std::int64_t at = constants_.index().producer(value);
    return at < 0 ? nullptr : &graph_.nodes[static_cast<std::size_t>(at)];
  }
  static bool foldable_layer(const Node& node) {
    return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm");
  }

  std::optional<Verdict> fold_batchnorm(const Node& node) const {
    if (!node.is("BatchNormalization")) return std::nullopt;
    if (node.int_or("training_mode", 0) != 0) return no("it is in training mode");
    for (std::size_t i = 1; i < 5; ++i)
      if (!constant(node, i)) return no("its parameters are computed from the input");
    const Node* before = producer(node.input(0));
    std::string why = "neither a convolution nor a Gemm stands before or behind it";
    if (before != nullptr && foldable_layer(*before)) {
      if (constants_.index().sole_consumer(node.input(0)) < 0)
        why = fmt::format("others read the output of {} too", node_label(*before));
      else if (!constant(*before, 1) || !constant(*before, 2))
        why = fmt::format("the weights of {} are computed from the input", node_label(*before));
      else
        return yes("into " + node_label(*before));
    }
    const std::int64_t next = constants_.index().sole_consumer(node.output(0));
    if (next < 0) return no(why);
    const Node& behind = graph_.nodes[static_cast<std::size_t>(next)];
    if (!behind.is("Conv") && !behind.is("Gemm")) return no(why);
    const auto pads = behind.ints_or("pads", {});
    const bool padded = std::any_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad != 0; }) ||
                        behind.string_or("auto_pad", "NOTSET").starts_with("SAME");
    if (padded) return no(fmt::format("{} behind it pads with zeros, which a shift would change", node_label(behind)));
    if (behind.input(0) != node.output(0) || !constant(behind, 1) || !constant(behind, 2)) return no(why);
    return yes("into " + node_label(behind));
  }

  /// "" if the node's weight is stored as float32, else what it is.
  std::string weight_obstacle(const Node& node) const {
    const std::string& weight = node.input(product_inputs(node)->weight);
    if (!constants_.is_constant(weight)) return "it multiplies two values that are computed from the input";
    const Node* made = producer(weight);
    if (made != nullptr && made->is("DequantizeLinear")) return "it is quantized already";
    const DType dtype = dtype_of_(weight);
    if (dtype != DType::kFloat32) return fmt::format("its weights are {}", dtype_name(dtype));
    return {};
  }

  std::optional<Verdict> int8(const Node& node) const {
    if (has_macs(node) && !product_inputs(node)) return no("no int8 kernel in the runtimes for static quantization");
    if (!product_inputs(node)) return std::nullopt;
    if (node.op_type.find("Integer") != std::string::npos || node.op_type.starts_with("Q"))
      return no("it is quantized already");
    if (std::string obstacle = weight_obstacle(node); !obstacle.empty()) return no(obstacle);
    if (!node.domain.empty()) return no("an operator of ONNX Runtime's own; the plain ones are quantized");
    if (node.is("ConvTranspose")) return no("ONNX Runtime has no int8 kernel for it on CPUs");
    return yes();
  }

  std::optional<Verdict> int8_dynamic(const Node& node) const {
    if (!node.is("MatMul") && !node.is("Gemm")) {
      if (node.is("Conv")) return no("dynamic int8 convolutions are slower than float: int8 from calibration instead");
      return std::nullopt;
    }
    if (std::string obstacle = weight_obstacle(node); !obstacle.empty()) return no(obstacle);
    const auto weight = shape_of_(node.input(1));
    if (!weight || weight->size() != 2) return no("its weight is no matrix");
    if (node.is("Gemm") &&
        (node.int_or("transA", 0) != 0 || node.float_or("alpha", 1) != 1 || node.float_or("beta", 1) != 1))
      return no("transA, alpha or beta have no counterpart in MatMulInteger");
    return yes();
  }

  std::optional<Verdict> fp16(const Node& node) const {
    bool floats = false, others = false;
    for (const std::string& input : node.inputs)
      for (const std::string& root : constants_.roots(input)) {
        const Tensor stored = constants_.stored(root);
        floats = floats || (stored.dtype() == DType::kFloat32 && stored.element_count() > 1);
        others = others || stored.dtype() == DType::kFloat16;
      }
    if (floats && (node.is("Resize") || node.is("Upsample"))) return no("its scales stay float32 by definition");
    if (floats) return yes();
    if (others) return no("its weights are float16 already");
    return std::nullopt;
  }

  std::optional<Verdict> prune(const Node& node) const {
    if (!node.is("Conv") && !node.is("ConvTranspose")) return std::nullopt;
    const auto weight = shape_of_(node.input(1));
    if (!weight || weight->size() < 3) return no("the shape of its weight is not known");
    if (std::string obstacle = weight_obstacle(node); !obstacle.empty()) return no(obstacle);
    const std::int64_t group = node.int_or("group", 1);
    const std::int64_t channels = node.is("Conv") ? (*weight)[0] : (*weight)[1] * group;
    if (channels == 1) return no("it has one output channel");
    if (group > 1 && group == channels) return no("depthwise: it follows the channels of its input");
    if (group > 1) return no(fmt::format("its channels are tied in {} groups", group));
    if (std::string end = channels_end(graph_, constants_, node); !end.empty()) return no(end);
    return yes(fmt::format("{} channels", channels));
  }

  std::optional<Verdict> low_rank(const Node& node) const {
    if (!product_inputs(node) || !node.domain.empty()) return std::nullopt;
    const auto weight = shape_of_(node.input(product_inputs(node)->weight));
    if (!weight || weight->size() < 2) return no("the shape of its weight is not known");
    if (std::string obstacle = weight_obstacle(node); !obstacle.empty()) return no(obstacle);
    if (node.is("Gemm") || node.is("MatMul")) {
      if (weight->size() != 2) return no("its weight is no matrix");
      const std::int64_t a = (*weight)[0], b = (*weight)[1];
      if (a * b < kSmallestFactoredMatrix) return no(fmt::format("{} x {} is too small to gain", a, b));
      return yes(fmt::format("{} x {}: smaller below rank {}", a, b, a * b / (a + b)));
    }
    if (!node.is("Conv")) return no("only plain convolutions are factored");
    if (node.int_or("group", 1) != 1) return no("grouped convolutions have little left to factor");
    const std::int64_t out = (*weight)[0], in = (*weight)[1],
                       kernel = element_count(*weight) / std::max<std::int64_t>(1, out * in);
    if (kernel <= 1) return no("a 1 x 1 kernel is what a factorization would make");
    // Best case of a split into k x 1 and 1 x k: rank r costs r * sqrt(kernel) * (in + out).
    const double side = std::sqrt(static_cast<double>(kernel));
    const auto rank = static_cast<std::int64_t>(static_cast<double>(out * in) * side / static_cast<double>(in + out));
    if (std::min(in, out) < 8) return no(fmt::format("{} input channels leave no rank to save", in));
    return yes(fmt::format("{} x {} x {}: smaller below rank {}", out, in, kernel, rank));
  }

  const Graph& graph_;
  const ConstantRoots& constants_;
  const ShapeOf& shape_of_;
  const std::function<DType(const std::string&)>& dtype_of_;
};

}  // namespace

std::vector<Opportunity> find_opportunities(const Graph& graph, const ConstantRoots& constants, const ShapeOf& shape_of,
                                            const std::function<DType(const std::string&)>& dtype_of) {
  return Finder(graph, constants, shape_of, dtype_of).run();
}

}  // namespace pare
