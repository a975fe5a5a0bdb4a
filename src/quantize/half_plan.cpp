#include "quantize/half_plan.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/fail.h"

namespace pare {
namespace {

constexpr const char* kWorksOnPositions = "works on positions or sizes, whole numbers that float16 may not hold";

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

constexpr std::array<std::string_view, 8> kMoves = {"Reshape", "Transpose", "Squeeze",  "Unsqueeze",
                                                    "Flatten", "Concat",    "Identity", "Slice"};

/// What stays a position when it is computed with: shape work and plain arithmetic, not weighted sums of many values.
bool carries_positions(const Node& node) {
  static constexpr std::array<std::string_view, 38> kOps = {"Add",
                                                            "Sub",
                                                            "Mul",
                                                            "Div",
                                                            "Mod",
                                                            "Pow",
                                                            "Sqrt",
                                                            "Neg",
                                                            "Abs",
                                                            "Floor",
                                                            "Ceil",
                                                            "Round",
                                                            "Sign",
                                                            "Min",
                                                            "Max",
                                                            "Clip",
                                                            "Where",
                                                            "Identity",
                                                            "Cast",
                                                            "Reshape",
                                                            "Transpose",
                                                            "Squeeze",
                                                            "Unsqueeze",
                                                            "Slice",
                                                            "Split",
                                                            "Concat",
                                                            "Gather",
                                                            "GatherND",
                                                            "GatherElements",
                                                            "Expand",
                                                            "Tile",
                                                            "Flatten",
                                                            "Pad",
                                                            "ScatterND",
                                                            "Relu",
                                                            "Equal",
                                                            "Less",
                                                            "Greater"};
  return is_one_of(node, kOps);
}

/// Integers that say where something is or how large it is.
bool makes_positions(const Node& node) {
  static constexpr std::array<std::string_view, 9> kOps = {"Shape", "Size",   "NonZero", "ArgMax",           "ArgMin",
                                                           "TopK",  "Unique", "Range",   "NonMaxSuppression"};
  return is_one_of(node, kOps);
}

/// Hands the smallness of its input on, unlike sums and products with large numbers.
bool carries_floor(const Node& node) {
  static constexpr std::array<std::string_view, 13> kOps = {"Sqrt",      "Pow",    "Abs",     "Identity",  "Reshape",
                                                            "Transpose", "Expand", "Squeeze", "Unsqueeze", "Tile",
                                                            "Slice",     "Max",    "Clip"};
  return is_one_of(node, kOps);
}
bool divides_by(const Node& node, const std::string& value) {
  return (node.is("Div") && node.input(1) == value) || node.is("Reciprocal") || node.is("Log");
}

bool is_heavy(const HalfFacts& facts, const Node& node, const HalfSlots& slots) {
  static constexpr std::array<std::string_view, 8> kOps = {"Conv", "ConvTranspose", "Gemm", "MatMul",
                                                           "LSTM", "GRU",           "RNN",  "Einsum"};
  if (is_one_of(node, kOps)) return true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (const Tensor* tensor = slots.inputs[i] ? facts.constant(node.inputs[i]) : nullptr)
      if (tensor->element_count() > 256) return true;
  return false;
}

class Planner {
 public:
  Planner(const HalfFacts& facts, bool keep_io) : facts_(facts), keep_io_(keep_io) {}

  HalfPlan run(const std::vector<std::string>& excluded) {
    decide_nodes(excluded);
    dissolve_islands();
    decide_inputs();
    decide_values();
    decide_sources();
    decide_outputs();
    return std::move(plan_);
  }

 private:
  const Graph& graph() const { return facts_.graph(); }
  NodePlan& at(std::int64_t node) { return plan_.nodes[static_cast<std::size_t>(node)]; }
  const Node& node_at(std::int64_t node) const { return graph().nodes[static_cast<std::size_t>(node)]; }

  /// Whether any use of the value is by a node that computes with it, and whether in float16.
  struct Readers {
    bool half = false, single = false;
  };
  Readers readers(const std::string& value) {
    Readers found;
    for (const GraphIndex::Use& use : facts_.index().uses(value)) {
      const NodePlan& reader = at(use.node);
      if (use.input < 0)
        found.single = true;
      else if (reader.half && !reader.slots.transparent && reader.slots.inputs[static_cast<std::size_t>(use.input)])
        found.half = true;
      else if (!reader.slots.transparent)
        found.single = true;
    }
    return found;
  }

  void decide_nodes(const std::vector<std::string>& excluded) {
    plan_.nodes.resize(graph().nodes.size());
    for (std::size_t i = 0; i < graph().nodes.size(); ++i) {
      const Node& node = graph().nodes[i];
      NodePlan& plan = plan_.nodes[i];
      plan.slots = half_slots(facts_, node);
      const bool of_numbers = reads_positions(node, true), of_integers = reads_positions(node, false);
      if (of_numbers || of_integers || makes_positions(node)) mark_integers(node);
      if (node.is("Constant") || !plan.slots.touches_float32) continue;
      plan.keep = keep_float32(facts_, node, plan.slots);
      if (!excluded[i].empty()) plan.keep = {KeepKind::kUser, excluded[i]};
      if (!plan.keep && keep_io_ && node.is("Sigmoid") && ends_in_output(node.output(0)))
        plan.keep = {KeepKind::kArithmetic, "Sigmoid before an output: small probabilities would lose digits"};
      if (!plan.keep && plan.slots.source && node.is("Cast")) plan.keep = keep_integer_cast(node, of_integers);
      const bool carried = of_numbers && carries_positions(node) && !plan.slots.transparent;
      if (!plan.keep && carried) plan.keep = {KeepKind::kCoordinates, kWorksOnPositions};
      if (plan.keep.kind == KeepKind::kCoordinates || carried || node.is("Range"))
        positions_.insert(node.outputs.begin(), node.outputs.end());
      if (Keep floor = keep_floor(node, plan); !plan.keep && floor) plan.keep = std::move(floor);
      plan.half = !plan.keep;
    }
  }

  /// Whether the value only goes to graph outputs, moved but not computed with.
  bool ends_in_output(const std::string& value) const {
    const auto& uses = facts_.index().uses(value);
    if (uses.empty()) return facts_.index().is_output(value);
    return std::all_of(uses.begin(), uses.end(), [&](const GraphIndex::Use& use) {
      return use.input >= 0 && is_one_of(node_at(use.node), kMoves) && ends_in_output(node_at(use.node).output(0));
    });
  }

  /// x / (y + 1e-12): the sum is kept in float32 for its constant; so must be what leads from it to the division, or a
  /// Cast would make the divisor 0 after all.
  Keep keep_floor(const Node& node, const NodePlan& plan) {
    if (plan.keep.kind == KeepKind::kTiny) floors_.insert(node.outputs.begin(), node.outputs.end());
    for (const std::string& input : node.inputs) {
      if (input.empty() || !floors_.contains(input)) continue;
      if (carries_floor(node)) floors_.insert(node.outputs.begin(), node.outputs.end());
      if (carries_floor(node) || divides_by(node, input))
        return {KeepKind::kTiny, fmt::format("only a tiny constant keeps '{}' from 0", input)};
    }
    return {};
  }

  /// Whether one of its float inputs (or of the others) holds positions.
  bool reads_positions(const Node& node, bool floats) const {
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& name) {
      return !name.empty() && positions_.contains(name) && is_float(facts_.dtype(name)) == floats;
    });
  }
  void mark_integers(const Node& node) {
    for (const std::string& output : node.outputs)
      if (!output.empty() && !is_float(facts_.dtype(output))) positions_.insert(output);
  }
  /// Cast of integers to float: 8-bit ones fit float16; others only if they were seen to be small.
  Keep keep_integer_cast(const Node& node, bool positions) const {
    const DType from = facts_.dtype(node.input(0));
    if (is_float(from) || from == DType::kBool || from == DType::kUint8 || from == DType::kInt8) return {};
    if (positions) return {KeepKind::kCoordinates, kWorksOnPositions};
    const auto largest = facts_.max_abs(node.input(0));
    if (largest && *largest <= 2048) return {};
    return {KeepKind::kCoordinates,
            fmt::format("reads {} numbers, float16 holds whole numbers exactly up to 2048", dtype_name(from))};
  }

  /// float16 nodes that hang together without a heavy one among them and touch a float32 node go back to float32:
  /// they would cost Casts and gain nothing.
  void dissolve_islands() {
    const std::size_t count = graph().nodes.size();
    std::vector<std::size_t> group(count);
    std::iota(group.begin(), group.end(), std::size_t{0});
    const auto root = [&](std::size_t i) {
      while (group[i] != i) i = group[i] = group[group[i]];
      return i;
    };
    const auto computes = [&](const NodePlan& plan) {
      return plan.half && !plan.slots.transparent && !plan.slots.source;
    };
    std::vector<bool> touches(count, false), heavy(count, false);
    for (std::size_t i = 0; i < count; ++i) {
      if (!computes(plan_.nodes[i])) continue;
      for (std::size_t j = 0; j < graph().nodes[i].inputs.size(); ++j) {
        const std::int64_t maker = facts_.index().producer(graph().nodes[i].inputs[j]);
        if (!plan_.nodes[i].slots.inputs[j] || maker < 0) continue;
        if (computes(at(maker))) group[root(i)] = root(static_cast<std::size_t>(maker));
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const NodePlan& plan = plan_.nodes[i];
      if (!computes(plan)) continue;
      if (is_heavy(facts_, graph().nodes[i], plan.slots)) heavy[root(i)] = true;
      for (const std::string& name : graph().nodes[i].inputs)
        if (touches_single_maker(name)) touches[root(i)] = true;
      for (const std::string& name : graph().nodes[i].outputs)
        if (!name.empty() && readers(name).single) touches[root(i)] = true;
    }
    for (std::size_t i = 0; i < count; ++i) {
      NodePlan& plan = plan_.nodes[i];
      if (!computes(plan) || heavy[root(i)] || !touches[root(i)]) continue;
      islands_.push_back(i);
    }
    for (const std::size_t i : islands_) {
      plan_.nodes[i].half = false;
      plan_.nodes[i].keep = {KeepKind::kCasts,
                             "lies among float32 nodes, Casts around it would cost more than it saves"};
    }
  }
  bool touches_single_maker(const std::string& name) {
    if (name.empty() || !facts_.is_float32(name) || facts_.constant(name)) return false;
    const std::int64_t maker = facts_.index().producer(name);
    return maker >= 0 && !at(maker).half;
  }

  /// Without keep_io an input becomes float16 if something reads it so, and nothing needs what float16 would lose.
  void decide_inputs() {
    if (keep_io_) return;
    for (const ValueInfo& input : graph().inputs) {
      if (input.dtype != DType::kFloat32) continue;
      if (!readers(input.name).half) continue;
      std::string reason;
      for (const GraphIndex::Use& use : facts_.index().uses(input.name)) {
        const Keep& keep = at(use.node).keep;
        if (keep.kind == KeepKind::kRange || keep.kind == KeepKind::kCoordinates)
          reason = fmt::format("{} reads it: {}", node_label(node_at(use.node), use.node), keep.reason);
      }
      if (reason.empty())
        plan_.half_values.insert(input.name);
      else
        plan_.kept_borders.push_back({input.name, "input", "stays float32: " + reason});
    }
  }

  void decide_values() {
    for (std::size_t i = 0; i < graph().nodes.size(); ++i) {
      const NodePlan& plan = plan_.nodes[i];
      if (!plan.half || plan.slots.source) continue;
      for (std::size_t j = 0; j < graph().nodes[i].outputs.size(); ++j)
        if (plan.slots.outputs[j]) plan_.half_values.insert(graph().nodes[i].outputs[j]);
    }
  }

  /// A Cast or ConstantOfShape makes float16 at once if all its readers want that; else one Cast behind it serves them.
  void decide_sources() {
    for (std::size_t i = 0; i < graph().nodes.size(); ++i) {
      NodePlan& plan = plan_.nodes[i];
      if (!plan.half || !plan.slots.source) continue;
      const std::string& output = graph().nodes[i].output(0);
      const Readers found = readers(output);
      plan.half = found.half && !found.single && !facts_.index().is_output(output);
      if (plan.half)
        plan_.half_values.insert(output);
      else
        plan.keep = {KeepKind::kCasts,
                     found.half ? "its result is read as float32 too" : "what reads it stays float32"};
    }
  }

  void decide_outputs() {
    if (keep_io_) return;
    const bool any = std::any_of(plan_.nodes.begin(), plan_.nodes.end(),
                                 [](const NodePlan& plan) { return plan.half && !plan.slots.transparent; });
    for (const ValueInfo& output : graph().outputs) {
      if (!any || !facts_.is_float32(output.name) || facts_.constant(output.name)) continue;
      if (plan_.is_half(output.name)) {
        plan_.half_outputs.insert(output.name);
        continue;
      }
      const std::int64_t maker = facts_.index().producer(output.name);
      if (maker < 0) continue;  // an input handed through
      const Keep& keep = at(maker).keep;
      const bool needed =
          keep.kind == KeepKind::kRange || keep.kind == KeepKind::kCoordinates || keep.kind == KeepKind::kUser;
      if (needed)
        plan_.kept_borders.push_back({output.name, "output", "stays float32: " + keep.reason});
      else
        plan_.half_outputs.insert(output.name);
    }
  }

  const HalfFacts& facts_;
  bool keep_io_;
  HalfPlan plan_;
  std::unordered_set<std::string> positions_;
  std::unordered_set<std::string> floors_;  ///< kept from 0 by a constant that float16 cannot hold
  std::vector<std::size_t> islands_;
};

}  // namespace

HalfPlan plan_half(const HalfFacts& facts, const std::vector<std::string>& excluded, bool keep_io) {
  return Planner(facts, keep_io).run(excluded);
}

}  // namespace pare
