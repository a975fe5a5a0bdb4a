#include "train/torch/quantized_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/fail.h"

namespace pare {
namespace {

/// These move or choose elements and nothing else: the same on integers and on what they stand for.
constexpr std::array<std::string_view, 11> kMoves = {"Reshape",   "Flatten",  "Transpose", "Squeeze",
                                                     "Unsqueeze", "Identity", "Slice",     "Split",
                                                     "Gather",    "MaxPool",  "Pad"};

struct TypeLimits {
  DType dtype;
  double low, high;
};
constexpr std::array kTypeLimits = {TypeLimits{DType::kInt8, -128, 127}, TypeLimits{DType::kUint8, 0, 255},
                                    TypeLimits{DType::kInt16, -32768, 32767}, TypeLimits{DType::kUint16, 0, 65535},
                                    TypeLimits{DType::kInt32, -0x1p30, 0x1p30}};

std::optional<TypeLimits> limits_of(DType dtype) {
  for (const TypeLimits& limits : kTypeLimits)
    if (limits.dtype == dtype) return limits;
  return std::nullopt;
}

std::int64_t wrapped(std::int64_t axis, std::int64_t rank) { return axis < 0 ? axis + rank : axis; }

class Reader {
 public:
  Reader(const Graph& graph, const std::set<std::string>& trained) : graph_(graph), index_(graph), trained_(trained) {}

  QuantizedGraph read() {
    refuse_batch_normalization();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].is("DequantizeLinear")) read_weight(static_cast<std::int64_t>(i));
    if (found_.weights.empty() || !has_node("QuantizeLinear"))
      fail(ErrorCode::kInvalidArgument,
           "quantization-aware training: this network is not quantized\n  remedy: pare quantize MODEL --data D -o "
           "int8.onnx, then finetune int8.onnx --qat --teacher MODEL; or pare run MODEL --recipe \"rewrite; quantize "
           "int8; finetune qat\" --data D");
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].is("QuantizeLinear")) read_activation(static_cast<std::int64_t>(i));
    find_movable();
    limit_pairs();
    for (StoredWeight& weight : found_.weights)
      if (weight.dtype == DType::kInt32) tie_bias(weight);
    return std::move(found_);
  }

 private:
  [[nodiscard]] const Node& node(std::int64_t i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }
  [[nodiscard]] bool has_node(std::string_view op) const {
    return std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const Node& one) { return one.is(op); });
  }

  /// Scales per channel that were set with the BatchNormalization outside do not fit the weights that it is folded
  /// into later.
  void refuse_batch_normalization() const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].is("BatchNormalization"))
        fail(ErrorCode::kInvalidArgument,
             "quantization-aware training: {} is not folded, and ranges that were set beside it do not fit\n  remedy: "
             "pare rewrite the float network first, then pare quantize it, then train",
             node_label(graph_.nodes[i], static_cast<std::int64_t>(i)));
  }

  /// The integers of a Q or DQ node; nullopt if it is not one of the kind that is trained.
  [[nodiscard]] std::optional<IntegerGrid> grid_of(const Node& at, DType dtype) const {
    const std::optional<TypeLimits> limits = limits_of(dtype);
    if (!limits || index_.constant(at.input(1)).dtype() != DType::kFloat32 || at.int_or("block_size", 0) != 0)
      return std::nullopt;
    IntegerGrid grid{.zero_point = 0, .low = limits->low, .high = limits->high};
    if (at.input(2).empty()) return grid;
    const Tensor zero = index_.constant(at.input(2));
    if (zero.empty()) return std::nullopt;
    const std::vector<float> zeros = zero.to_floats();
    if (std::any_of(zeros.begin(), zeros.end(), [&](float value) { return value != zeros[0]; })) return std::nullopt;
    grid.zero_point = static_cast<double>(zeros[0]);
    return grid;
  }

  void read_weight(std::int64_t i) {
    const Node& at = node(i);
    const std::string& stored = at.input(0);
    if (!trained_.contains(stored) || index_.uses(stored).size() != 1) return;
    if (!graph_.initializers.contains(stored) || !graph_.initializers.contains(at.input(1))) return;
    const Tensor values = index_.constant(stored);
    std::optional<IntegerGrid> grid = grid_of(at, values.dtype());
    if (!grid) return;
    // Symmetric weights leave -128 out, which some kernels cannot take.
    if (values.dtype() == DType::kInt8 && grid->zero_point == 0) {
      const std::vector<float> levels = values.to_floats();
      if (std::find(levels.begin(), levels.end(), -128.0F) == levels.end()) grid->low = -127;
    }
    found_.weights.push_back({.name = stored,
                              .scale = at.input(1),
                              .node = i,
                              .axis = wrapped(at.int_or("axis", 1), values.rank()),
                              .grid = *grid,
                              .dtype = values.dtype()});
  }

  /// Follows the integers from a Q to the DQs that turn them back.
  void read_activation(std::int64_t i) {
    const Node& quantize = node(i);
    const Tensor scale = index_.constant(quantize.input(1)), zero = index_.constant(quantize.input(2));
    if (scale.empty() || element_count(scale.shape()) != 1 || !graph_.initializers.contains(quantize.input(1))) return;
    const std::optional<IntegerGrid> grid = grid_of(quantize, zero.empty() ? DType::kUint8 : zero.dtype());
    if (!grid || std::max(grid->high, -grid->low) > 65535) return;
    std::set<std::int64_t> passing, pads;
    std::vector<std::string> open = {quantize.output(0)};
    while (!open.empty()) {
      const std::string value = open.back();
      open.pop_back();
      if (index_.is_output(value)) return;
      for (const GraphIndex::Use& use : index_.uses(value)) {
        if (use.input != 0) return;
        const Node& reader = node(use.node);
        if (reader.is("DequantizeLinear")) {
          if (reader.input(1) != quantize.input(1) || reader.input(2) != quantize.input(2)) return;
          passing.insert(use.node);
          continue;
        }
        if (std::find(kMoves.begin(), kMoves.end(), reader.op_type) == kMoves.end()) return;
        if (reader.is("Pad")) {
          if (reader.input(2) != quantize.input(2) || quantize.input(2).empty()) return;
          pads.insert(use.node);
        }
        for (const std::string& output : reader.outputs)
          if (!output.empty()) open.push_back(output);
      }
    }
    found_.rounding.emplace(i, *grid);
    found_.passing.insert(passing.begin(), passing.end());
    found_.plain_pad.insert(pads.begin(), pads.end());
  }

  /// Whether the file keeps pairs of weights small in every channel: then it was made for processors that need it.
  void limit_pairs() {
    bool any = false;
    for (const StoredWeight& weight : found_.weights) {
      if (weight.dtype == DType::kInt32) continue;
      if (weight.dtype != DType::kInt8 || weight.grid.zero_point != 0) return;
      any = true;
      if (largest_pair(weight) > 128) return;
    }
    for (StoredWeight& weight : found_.weights) weight.grid.limit_pairs = any && weight.dtype == DType::kInt8;
  }

  /// The largest sum of two levels of one channel with the same sign.
  [[nodiscard]] double largest_pair(const StoredWeight& weight) const {
    const Tensor values = index_.constant(weight.name);
    const std::vector<float> levels = values.to_floats();
    const std::int64_t channels = element_count(index_.constant(weight.scale).shape());
    std::int64_t inner = 1;
    if (channels > 1)
      for (std::int64_t d = values.rank() - 1; d > weight.axis; --d)
        inner *= values.shape()[static_cast<std::size_t>(d)];
    std::vector<std::array<double, 4>> largest(static_cast<std::size_t>(channels));  // + first, second, - first, second
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const std::size_t channel = channels == 1 ? 0 : i / static_cast<std::size_t>(inner) % largest.size();
      double* const found = largest[channel].data() + (levels[i] < 0 ? 2 : 0);
      const double size = std::fabs(static_cast<double>(levels[i]));
      if (size > found[0]) {
        found[1] = found[0];
        found[0] = size;
      } else {
        found[1] = std::max(found[1], size);
      }
    }
    double pair = 0;
    for (const auto& one : largest) pair = std::max({pair, one[0] + one[1], one[2] + one[3]});
    return pair;
  }

  void find_movable() {
    std::set<std::string> fixed;
    for (const StoredWeight& weight : found_.weights)
      if (weight.dtype != DType::kInt32) found_.movable_weights.insert(weight.scale);
    for (const auto& [i, grid] : found_.rounding) found_.movable_activations.insert(node(i).input(1));
    std::set<std::int64_t> of_weights;
    for (const StoredWeight& weight : found_.weights)
      if (weight.dtype != DType::kInt32) of_weights.insert(weight.node);
    std::erase_if(found_.movable_weights, [&](const std::string& scale) {
      return !std::all_of(index_.uses(scale).begin(), index_.uses(scale).end(),
                          [&](const GraphIndex::Use& use) { return of_weights.contains(use.node); });
    });
    std::erase_if(found_.movable_activations, [&](const std::string& scale) {
      return !std::all_of(index_.uses(scale).begin(), index_.uses(scale).end(), [&](const GraphIndex::Use& use) {
        return found_.rounding.contains(use.node) || found_.passing.contains(use.node) || is_zero(node(use.node));
      });
    });
  }

  /// A constant whose integers are all the zero point (padding): 0 at every scale.
  [[nodiscard]] bool is_zero(const Node& dequantize) const {
    const Tensor values = index_.constant(dequantize.input(0)), zero = index_.constant(dequantize.input(2));
    if (!dequantize.is("DequantizeLinear") || values.empty() || zero.empty()) return false;
    const std::vector<float> levels = values.to_floats(), zeros = zero.to_floats();
    return zeros.size() == 1 && std::all_of(levels.begin(), levels.end(), [&](float x) { return x == zeros[0]; });
  }

  [[nodiscard]] std::string scale_before(const std::string& value) const {
    const std::int64_t producer = index_.producer(value);
    if (producer < 0 || !node(producer).is("DequantizeLinear")) return "";
    return node(producer).input(1);
  }

  /// Integer kernels take bias = q * (input scale * weight scale) for granted. Where the file says so, the bias follows
  /// the two; where it does not (or for several readers), all three stay.
  void tie_bias(StoredWeight& bias) {
    const std::string& value = node(bias.node).output(0);
    const std::vector<float> scales = index_.constant(bias.scale).to_floats();
    for (const GraphIndex::Use& use : index_.uses(value)) {
      const Node& reader = node(use.node);
      const std::string input = scale_before(reader.input(0)), weight = scale_before(reader.input(1));
      const std::vector<float> inputs = input.empty() ? std::vector<float>{} : index_.constant(input).to_floats();
      const std::vector<float> weights = weight.empty() ? std::vector<float>{} : index_.constant(weight).to_floats();
      bool fits = use.input == 2 && inputs.size() == 1 && (weights.size() == 1 || weights.size() == scales.size()) &&
                  index_.uses(value).size() == 1 && index_.uses(bias.scale).size() == 1;
      for (std::size_t c = 0; fits && c < scales.size(); ++c) {
        const double product =
            static_cast<double>(inputs[0]) * static_cast<double>(weights[weights.size() == 1 ? 0 : c]);
        fits = std::fabs(static_cast<double>(scales[c]) - product) <= 1e-5 * product;
      }
      if (fits) {
        bias.input_scale = input;
        bias.weight_scale = weight;
      } else {
        found_.movable_activations.erase(input);
        found_.movable_weights.erase(weight);
      }
    }
  }

  const Graph& graph_;
  GraphIndex index_;
  const std::set<std::string>& trained_;
  QuantizedGraph found_;
};

}  // namespace

const StoredWeight* QuantizedGraph::weight_of(std::int64_t node) const {
  for (const StoredWeight& weight : weights)
    if (weight.node == node) return &weight;
  return nullptr;
}

QuantizedGraph read_quantized_graph(const Graph& graph, const std::set<std::string>& trained) {
  return Reader(graph, trained).read();
}

}  // namespace pare
