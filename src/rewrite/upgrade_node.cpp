#include "rewrite/upgrade_node.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/fail.h"

namespace pare {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor ints(const Ints& values) { return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values); }

/// A number as a tensor of the type that the node computes in; empty for types no old operator had.
Tensor scalar_of(DType dtype, float value) {
  if (dtype == DType::kFloat32) return Tensor::scalar(value);
  if (dtype == DType::kFloat64) return Tensor::scalar(static_cast<double>(value));
  if (dtype != DType::kFloat16) return {};
  const std::uint16_t bits = float_to_half(value);
  return Tensor::from_bytes(dtype, {}, {static_cast<std::byte>(bits & 0xff), static_cast<std::byte>(bits >> 8)});
}

void put_input(Node& node, std::size_t index, std::string value) {
  if (node.inputs.size() <= index) node.inputs.resize(index + 1);
  node.inputs[index] = std::move(value);
}

/// Base of the names of what the node newly reads: its output's name is unique, its own need not be.
std::string base_name(const Node& node) { return node.output(0); }

NodeUpgrade move_ints(Node& node, UpgradeSite& site, const char* attribute, std::size_t input) {
  if (!node.find_attribute(attribute)) return {};
  const Ints values = node.ints_or(attribute, {});
  put_input(node, input, site.add_constant(base_name(node) + "_" + attribute, ints(values)));
  node.remove_attribute(attribute);
  return {fmt::format("{} became an input", attribute), {}};
}

NodeUpgrade upgrade_axes(Node& node, UpgradeSite& site) { return move_ints(node, site, "axes", 1); }

NodeUpgrade upgrade_split(Node& node, UpgradeSite& site) {
  if (site.opset < 2 && node.inputs.size() > 1) return {{}, "Split of opset 1 with sizes as an input"};
  return move_ints(node, site, "split", 1);
}

NodeUpgrade upgrade_pad(Node& node, UpgradeSite& site) {
  if (site.opset >= 11) return {};
  const char* name = node.find_attribute("paddings") ? "paddings" : "pads";
  if (!node.find_attribute(name)) return {{}, "it has no pads"};
  const float value = node.float_or("value", 0);
  const bool constant = node.string_or("mode", "constant") == "constant";
  const Tensor tensor = value == 0 || !constant ? Tensor() : scalar_of(site.float_type_of(node.input(0)), value);
  if (value != 0 && constant && tensor.empty()) return {{}, "the type of its input is not known"};
  put_input(node, 1, site.add_constant(base_name(node) + "_pads", ints(node.ints_or(name, {}))));
  if (!tensor.empty()) put_input(node, 2, site.add_constant(base_name(node) + "_value", tensor));
  node.remove_attribute(name);
  node.remove_attribute("value");
  return {"pads became an input", {}};
}

NodeUpgrade upgrade_clip(Node& node, UpgradeSite& site) {
  if (site.opset >= 11) return {};
  std::size_t input = 1;
  for (const char* name : {"min", "max"}) {
    if (node.find_attribute(name)) {
      const Tensor bound = scalar_of(site.float_type_of(node.input(0)), node.float_or(name, 0));
      if (bound.empty()) return {{}, "the type of its input is not known"};
      put_input(node, input, site.add_constant(base_name(node) + "_" + name, bound));
    }
    ++input;
  }
  if (node.inputs.size() == 1) return {};
  node.remove_attribute("min");
  node.remove_attribute("max");
  return {"min and max became inputs", {}};
}

NodeUpgrade upgrade_slice(Node& node, UpgradeSite& site) {
  if (site.opset >= 10) return {};
  if (!node.find_attribute("starts") || !node.find_attribute("ends")) return {{}, "it has no starts and ends"};
  move_ints(node, site, "starts", 1);
  move_ints(node, site, "ends", 2);
  move_ints(node, site, "axes", 3);
  return {"starts, ends and axes became inputs", {}};
}

NodeUpgrade upgrade_topk(Node& node, UpgradeSite& site) {
  if (site.opset >= 10) return {};
  put_input(node, 1, site.add_constant(base_name(node) + "_k", ints({node.int_or("k", 1)})));
  node.remove_attribute("k");
  return {"k became an input", {}};
}

NodeUpgrade upgrade_dropout(Node& node, UpgradeSite& site) {
  if (site.opset >= 12) return {};
  if (site.opset < 7 && node.int_or("is_test", 0) == 0) return {{}, "it drops values (is_test is 0)"};
  if (site.opset < 10 && !node.output(1).empty()) {
    // The mask became bool: whoever reads it would get another type.
    if (site.is_read(node.output(1))) return {{}, "its mask '" + node.output(1) + "' is read"};
    node.outputs.resize(1);
  }
  node.remove_attribute("is_test");
  const Attribute* ratio = node.find_attribute("ratio");
  if (!ratio) return {};
  put_input(node, 1, site.add_constant(base_name(node) + "_ratio", Tensor::scalar(node.float_or("ratio", 0.5F))));
  node.remove_attribute("ratio");
  return {"ratio became an input", {}};
}

NodeUpgrade upgrade_batchnorm(Node& node, UpgradeSite& site) {
  if (site.opset >= 9) return {};
  if (node.int_or("spatial", 1) == 0) return {{}, "it normalizes per element (spatial is 0)"};
  if (site.opset < 7 && node.int_or("is_test", 0) == 0) return {{}, "it normalizes by the batch (is_test is 0)"};
  const bool changed = node.find_attribute("spatial") || node.find_attribute("is_test");
  node.remove_attribute("spatial");
  node.remove_attribute("is_test");
  return {changed ? "attributes of training dropped" : "", {}};
}

NodeUpgrade upgrade_reshape(Node& node, UpgradeSite& site) {
  return site.opset < 5 ? move_ints(node, site, "shape", 1) : NodeUpgrade{};
}

NodeUpgrade upgrade_concat(Node& node, UpgradeSite& site) {
  if (site.opset >= 4 || node.find_attribute("axis")) return {};
  node.set_attribute("axis", std::int64_t{1});
  return {"axis 1 said", {}};
}

NodeUpgrade upgrade_scatter(Node& node, UpgradeSite&) {
  node.op_type = "ScatterElements";
  return {"ScatterElements", {}};
}

/// The tensor with its dimensions lying at `axis` of a tensor of that rank.
std::string align_constant(Node& node, UpgradeSite& site, std::int64_t rank, std::int64_t axis) {
  const Tensor tensor = site.constant(node.input(1));
  const std::int64_t behind = rank - axis - tensor.rank();
  if (tensor.empty() || behind < 0) return "its second operand is computed, or longer than the first";
  if (behind == 0) return {};
  Shape shape = tensor.shape();
  shape.insert(shape.end(), static_cast<std::size_t>(behind), 1);
  node.inputs[1] = site.add_constant(node.input(1) + "_aligned", tensor.reshaped(shape));
  return {};
}

/// Before opset 7 operands had equal shapes, or `broadcast` laid the second one at `axis` of the first.
NodeUpgrade upgrade_broadcast(Node& node, UpgradeSite& site) {
  if (site.opset >= 7) return {};
  const bool broadcast = node.int_or("broadcast", 0) != 0;
  if (broadcast && node.find_attribute("axis")) {
    const auto rank = site.known_rank(node.input(0));
    if (!rank) return {{}, "it broadcasts along an axis of a value whose rank is not known"};
    const std::int64_t axis = node.int_or("axis", 0);
    if (std::string reason = align_constant(node, site, *rank, axis < 0 ? axis + *rank : axis); !reason.empty())
      return {{}, reason};
  }
  node.remove_attribute("broadcast");
  node.remove_attribute("axis");
  return {broadcast ? "broadcast became a shape" : "", {}};
}

NodeUpgrade upgrade_prelu(Node& node, UpgradeSite& site) {
  if (site.opset >= 7) return {};
  const Tensor slope = site.constant(node.input(1));
  if (!slope.empty() && slope.element_count() == 1) return {};
  const auto rank = site.known_rank(node.input(0));
  if (!rank) return {{}, "the rank of its input is not known"};
  if (std::string reason = align_constant(node, site, *rank, 1); !reason.empty()) return {{}, reason};
  return {"slope laid on the channels", {}};
}

NodeUpgrade upgrade_gemm(Node& node, UpgradeSite& site) {
  if (site.opset >= 7 || !node.find_attribute("broadcast")) return {};
  node.remove_attribute("broadcast");
  return {"broadcast dropped", {}};
}

NodeUpgrade upgrade_cast(Node&, UpgradeSite& site) {
  if (site.opset < 6) return {{}, "Cast of opset 5 and before"};
  return {};
}

using Upgrade = std::function<NodeUpgrade(Node&, UpgradeSite&)>;

const std::map<std::string, Upgrade>& upgrades() {
  static const std::map<std::string, Upgrade> kUpgrades = {
      {"Add", upgrade_broadcast},      {"Sub", upgrade_broadcast},     {"Mul", upgrade_broadcast},
      {"Div", upgrade_broadcast},      {"Pow", upgrade_broadcast},     {"And", upgrade_broadcast},
      {"Or", upgrade_broadcast},       {"Xor", upgrade_broadcast},     {"Equal", upgrade_broadcast},
      {"Greater", upgrade_broadcast},  {"Less", upgrade_broadcast},    {"BatchNormalization", upgrade_batchnorm},
      {"Cast", upgrade_cast},          {"Clip", upgrade_clip},         {"Concat", upgrade_concat},
      {"Dropout", upgrade_dropout},    {"Gemm", upgrade_gemm},         {"Hardmax", upgrade_softmax},
      {"LogSoftmax", upgrade_softmax}, {"PRelu", upgrade_prelu},       {"Pad", upgrade_pad},
      {"ReduceSum", upgrade_axes},     {"Reshape", upgrade_reshape},   {"Resize", upgrade_resize},
      {"Scatter", upgrade_scatter},    {"Slice", upgrade_slice},       {"Softmax", upgrade_softmax},
      {"Split", upgrade_split},        {"Squeeze", upgrade_axes},      {"TopK", upgrade_topk},
      {"Unsqueeze", upgrade_axes},     {"Upsample", upgrade_upsample},
  };
  return kUpgrades;
}

/// Opset from which on the operator means in opset 13 what it meant (more types, optional inputs and attributes with
/// the old meaning as default may have come since).
std::int64_t unchanged_since(const std::string& op) {
  static const std::set<std::string> kSinceOne = {"Abs",
                                                  "ArgMax",
                                                  "ArgMin",
                                                  "AveragePool",
                                                  "Ceil",
                                                  "Constant",
                                                  "Conv",
                                                  "ConvTranspose",
                                                  "DepthToSpace",
                                                  "Elu",
                                                  "Exp",
                                                  "Flatten",
                                                  "Floor",
                                                  "Gather",
                                                  "GlobalAveragePool",
                                                  "GlobalMaxPool",
                                                  "HardSigmoid",
                                                  "Identity",
                                                  "InstanceNormalization",
                                                  "LRN",
                                                  "LeakyRelu",
                                                  "Log",
                                                  "LpNormalization",
                                                  "MatMul",
                                                  "MaxPool",
                                                  "MaxRoiPool",
                                                  "Neg",
                                                  "Not",
                                                  "RandomNormal",
                                                  "RandomNormalLike",
                                                  "RandomUniform",
                                                  "RandomUniformLike",
                                                  "Reciprocal",
                                                  "ReduceL1",
                                                  "ReduceL2",
                                                  "ReduceLogSum",
                                                  "ReduceLogSumExp",
                                                  "ReduceMax",
                                                  "ReduceMean",
                                                  "ReduceMin",
                                                  "ReduceProd",
                                                  "ReduceSumSquare",
                                                  "Relu",
                                                  "Shape",
                                                  "Sigmoid",
                                                  "Size",
                                                  "Softplus",
                                                  "Softsign",
                                                  "SpaceToDepth",
                                                  "Sqrt",
                                                  "Sum",
                                                  "Tanh",
                                                  "Transpose",
                                                  "Max",
                                                  "Min",
                                                  "Mean",
                                                  "If",
                                                  "Loop"};
  static const std::set<std::string> kSinceSeven = {"Acos",
                                                    "Acosh",
                                                    "Asin",
                                                    "Asinh",
                                                    "Atan",
                                                    "Atanh",
                                                    "BitShift",
                                                    "Celu",
                                                    "Compress",
                                                    "ConcatFromSequence",
                                                    "ConstantOfShape",
                                                    "ConvInteger",
                                                    "Cos",
                                                    "Cosh",
                                                    "CumSum",
                                                    "DequantizeLinear",
                                                    "Det",
                                                    "DynamicQuantizeLinear",
                                                    "Einsum",
                                                    "Erf",
                                                    "Expand",
                                                    "EyeLike",
                                                    "GRU",
                                                    "GatherElements",
                                                    "GatherND",
                                                    "GlobalLpPool",
                                                    "GreaterOrEqual",
                                                    "IsInf",
                                                    "IsNaN",
                                                    "LSTM",
                                                    "LessOrEqual",
                                                    "LpPool",
                                                    "MatMulInteger",
                                                    "MaxUnpool",
                                                    "MeanVarianceNormalization",
                                                    "Mod",
                                                    "Multinomial",
                                                    "NonMaxSuppression",
                                                    "NonZero",
                                                    "OneHot",
                                                    "QLinearConv",
                                                    "QLinearMatMul",
                                                    "QuantizeLinear",
                                                    "RNN",
                                                    "Range",
                                                    "ReverseSequence",
                                                    "RoiAlign",
                                                    "Round",
                                                    "ScatterElements",
                                                    "ScatterND",
                                                    "Selu",
                                                    "Shrink",
                                                    "Sign",
                                                    "Sin",
                                                    "Sinh",
                                                    "SequenceAt",
                                                    "SequenceConstruct",
                                                    "SequenceEmpty",
                                                    "SequenceErase",
                                                    "SequenceInsert",
                                                    "SequenceLength",
                                                    "SplitToSequence",
                                                    "StringNormalizer",
                                                    "Tan",
                                                    "TfIdfVectorizer",
                                                    "ThresholdedRelu",
                                                    "Tile",
                                                    "Unique",
                                                    "Where"};
  if (kSinceOne.contains(op)) return 1;
  if (kSinceSeven.contains(op)) return 7;
  return op == "Scan" ? 9 : 100;
}

}  // namespace

std::optional<Shape> UpgradeSite::known_shape(const std::string& value) const {
  if (const Tensor tensor = constant(value); !tensor.empty()) return tensor.shape();
  if (!types_) return std::nullopt;
  const auto found = types_->find(value);
  if (found == types_->end() || !found->second.shape) return std::nullopt;
  Shape shape;
  for (const Dim& dim : *found->second.shape) shape.push_back(dim.value && *dim.value > 0 ? *dim.value : -1);
  return shape;
}

std::optional<std::int64_t> UpgradeSite::known_rank(const std::string& value) const {
  if (const auto shape = known_shape(value)) return static_cast<std::int64_t>(shape->size());
  const std::int64_t maker = index_.producer(value);
  if (maker < 0) return std::nullopt;
  const Node& node = graph_.nodes[static_cast<std::size_t>(maker)];
  static const std::set<std::string> kKeepsRank = {"Relu",
                                                   "Add",
                                                   "Sub",
                                                   "Mul",
                                                   "Div",
                                                   "LeakyRelu",
                                                   "Sigmoid",
                                                   "Tanh",
                                                   "MaxPool",
                                                   "AveragePool",
                                                   "BatchNormalization",
                                                   "Dropout",
                                                   "LRN"};
  if (kKeepsRank.contains(node.op_type)) return known_rank(node.input(0));
  const Tensor weight = constant(node.input(1));
  if ((node.is("Conv") || node.is("ConvTranspose")) && !weight.empty()) return weight.rank();
  return std::nullopt;
}

DType UpgradeSite::float_type_of(const std::string& value) const {
  if (types_)
    if (const auto found = types_->find(value); found != types_->end() && is_float(found->second.dtype))
      return found->second.dtype;
  return float_type_;
}

std::string UpgradeSite::add_constant(const std::string& wanted, Tensor tensor) {
  std::string name = names_.fresh(wanted);
  graph_.initializers.set(name, std::move(tensor));
  return name;
}

NodeUpgrade upgrade_node(Node& node, UpgradeSite& site) {
  if (site.opset < 6) node.remove_attribute("consumed_inputs");
  if (const auto found = upgrades().find(node.op_type); found != upgrades().end()) return found->second(node, site);
  const std::int64_t since = unchanged_since(node.op_type);
  if (since <= site.opset) return {};
  if (since == 100) return {{}, fmt::format("{} has no known form in opset 13", node.op_type)};
  return {{}, fmt::format("{} meant something else before opset {}", node.op_type, since)};
}

}  // namespace pare
