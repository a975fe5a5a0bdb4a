#include "rewrite/constant_region.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/fail.h"

namespace pare {
namespace {

constexpr std::int64_t kFreeBytes = 1024, kFreeGeneratedBytes = 64;
constexpr std::int64_t kLargestInnerBytes = std::int64_t{1} << 28;  // what a folded node may hold on the way

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& ops) {
  return std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

bool is_generator(const Node& node) {
  static constexpr std::array<std::string_view, 9> kOps = {"ConstantOfShape", "Expand", "Tile",     "Range", "EyeLike",
                                                           "OneHot",          "Resize", "Upsample", "Pad"};
  return is_one_of(node, kOps);
}

bool is_foldable_kind(const Node& node) {
  static constexpr std::array<std::string_view, 8> kNever = {
      "Constant",    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
      "Multinomial", "Bernoulli",      "Dropout",          "NonZero"};
  return node.domain.empty() && !node.has_subgraph() && !is_one_of(node, kNever) &&
         !node.op_type.starts_with("Random") && !node.op_type.starts_with("Sequence") && !node.outputs.empty();
}

bool holds_weight(const Node& node, std::size_t input) {
  static constexpr std::array<std::string_view, 5> kOps = {"Conv", "ConvTranspose", "Gemm", "MatMul",
                                                           "BatchNormalization"};
  return node.domain.empty() && is_one_of(node, kOps) && (input > 0 || node.is("MatMul"));
}

/// -1: not known.
std::int64_t bytes_of(const GraphEdit& edit, const std::string& value) {
  if (const Tensor tensor = edit.constant(value); !tensor.empty()) return tensor.size_bytes();
  const ValueInfo* info = edit.type(value);
  const auto shape = info ? info->static_shape() : std::nullopt;
  if (!shape || dtype_bits(info->dtype) == 0) return -1;
  std::int64_t bits = dtype_bits(info->dtype);
  for (const std::int64_t dim : *shape) {
    if (dim < 0) return -1;
    if (dim > 0 && bits > (std::int64_t{1} << 60) / dim) return -1;
    bits *= dim;
  }
  return (bits + 7) / 8;
}

class ConstantRegion {
 public:
  ConstantRegion(GraphEdit& edit, Context& context)
      : edit_(edit), context_(context), inside_(static_cast<std::size_t>(edit.node_count()), false) {}

  void fold() {
    collect();
    // One node that the runtime lacks must not keep all others from being folded: it is found and left out.
    for (int attempt = 0; attempt < 3; ++attempt) {
      while (decide()) drop_orphans();
      const std::vector<std::string> values = frontier();
      if (values.empty()) return;
      const Evaluation all = evaluate(values);
      if (all.why_not.empty()) return replace(values, all.results);
      bool found = false;
      for (const std::string& value : values) {
        const Evaluation alone = evaluate({value});
        if (alone.why_not.empty()) continue;
        found = true;
        leave_out(edit_.producer(value), "the runtime does not compute it: " + alone.why_not);
      }
      if (!found) return edit_.skip(edit_.producer(values[0]), "the runtime does not compute it: " + all.why_not);
      drop_orphans();
    }
  }

 private:
  bool is_inside(std::int64_t node) const { return node >= 0 && inside_[static_cast<std::size_t>(node)]; }
  bool is_constant(const std::string& value) const {
    return value.empty() || !edit_.constant(value).empty() || is_inside(edit_.producer(value));
  }

  /// Every node that could be computed, if its size is known and bearable.
  void collect() {
    for (std::int64_t i = 0; i < edit_.node_count(); ++i) {
      const Node& node = edit_.node(i);
      if (edit_.removed(i)) continue;
      if (node.is("DequantizeLinear") && !edit_.constant(node.input(0)).empty())
        edit_.skip(i, "its weights stay as small as they are stored");
      if (!is_foldable_kind(node)) continue;
      if (!std::all_of(node.inputs.begin(), node.inputs.end(), [&](const auto& value) { return is_constant(value); }))
        continue;
      inside_[static_cast<std::size_t>(i)] =
          std::all_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& output) {
            const std::int64_t bytes = output.empty() ? 0 : bytes_of(edit_, output);
            return !edit_.is_output(output) && bytes >= 0 && bytes <= kLargestInnerBytes;
          });
    }
  }

  void leave_out(std::int64_t node, std::string reason) {
    inside_[static_cast<std::size_t>(node)] = false;
    edit_.skip(node, std::move(reason));
  }

  /// From the readers back: a node whose result must be stored and is too large goes out, and its inputs take its
  /// place.
  bool decide() {
    bool changed = false;
    for (std::int64_t i = edit_.node_count(); i-- > 0;) {
      if (!is_inside(i)) continue;
      std::string reason;
      for (const std::string& output : edit_.node(i).outputs)
        if (reason.empty() && !output.empty() && is_stored(output)) reason = too_large(i, output);
      if (reason.empty()) continue;
      leave_out(i, std::move(reason));
      changed = true;
    }
    return changed;
  }

  /// What reads a node that went out depends on more than constants now.
  void drop_orphans() {
    for (std::int64_t i = 0; i < edit_.node_count(); ++i) {
      const std::vector<std::string>& inputs = edit_.node(i).inputs;
      if (is_inside(i) &&
          !std::all_of(inputs.begin(), inputs.end(), [&](const auto& value) { return is_constant(value); }))
        inside_[static_cast<std::size_t>(i)] = false;
    }
  }

  /// Read by something that is not computed away.
  bool is_stored(const std::string& value) const {
    const std::vector<std::int64_t>& readers = edit_.readers(value);
    return edit_.is_captured(value) ||
           std::any_of(readers.begin(), readers.end(), [&](std::int64_t reader) { return !is_inside(reader); });
  }

  bool is_weight(const std::string& value) const {
    for (const std::int64_t reader : edit_.readers(value)) {
      const Node& node = edit_.node(reader);
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        if (node.inputs[i] == value && holds_weight(node, i)) return true;
    }
    return false;
  }

  std::string too_large(std::int64_t node, const std::string& value) const {
    std::unordered_set<std::string> constants;
    bool generated = false;
    std::vector<std::int64_t> pending = {node};
    std::unordered_set<std::int64_t> seen = {node};
    while (!pending.empty()) {
      const Node& current = edit_.node(pending.back());
      pending.pop_back();
      generated = generated || is_generator(current);
      for (const std::string& input : current.inputs) {
        const std::int64_t maker = edit_.producer(input);
        if (is_inside(maker) && seen.insert(maker).second) pending.push_back(maker);
        if (!input.empty() && !is_inside(maker)) constants.insert(input);
      }
    }
    std::int64_t inputs = 0;
    for (const std::string& constant : constants) inputs += bytes_of(edit_, constant);
    const std::int64_t bytes = bytes_of(edit_, value);
    if (bytes <= inputs + (generated ? kFreeGeneratedBytes : kFreeBytes)) return {};
    if (!generated && is_weight(value)) return {};
    return fmt::format("its result has {} bytes, its constants {}: folding would make the file larger", bytes, inputs);
  }

  std::vector<std::string> frontier() const {
    std::vector<std::string> values;
    for (std::int64_t i = 0; i < edit_.node_count(); ++i)
      if (is_inside(i))
        for (const std::string& output : edit_.node(i).outputs)
          if (!output.empty() && is_stored(output)) values.push_back(output);
    return values;
  }

  struct Evaluation {
    std::vector<Tensor> results;
    std::string why_not;
  };
  /// Runs the constant part.
  Evaluation evaluate(const std::vector<std::string>& values) const {
    Model part;
    part.ir_version = edit_.model().ir_version;
    part.opset_imports = edit_.model().opset_imports;
    part.graph.name = "constants";
    std::unordered_set<std::string> wanted(values.begin(), values.end());
    for (std::int64_t i = edit_.node_count(); i-- > 0;) {
      const Node& node = edit_.node(i);
      const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(),
                                      [&](const std::string& output) { return wanted.contains(output); });
      if (!is_inside(i) || !needed) continue;
      part.graph.nodes.insert(part.graph.nodes.begin(), node);
      for (const std::string& input : node.inputs) {
        wanted.insert(input);
        if (const Tensor tensor = edit_.constant(input); !tensor.empty()) part.graph.initializers.set(input, tensor);
      }
    }
    for (const std::string& value : values) {
      ValueInfo info = *edit_.type(value);
      info.name = value;
      part.graph.outputs.push_back(std::move(info));
    }
    try {
      SessionOptions options = context_.session;
      options.optimize = false;
      options.profile = false;
      options.force_float32 = true;
      options.extra_outputs.clear();
      // OpenVINO rounds some integer types; where both are there the reference is ONNX Runtime.
      if (runtime_available(Runtime::kOnnxRuntime)) options.runtime = Runtime::kOnnxRuntime;
      return {open_session(part, options)->run({}), {}};
    } catch (const Error& error) {
      const std::string what = error.what();
      return {{}, what.substr(0, what.find('\n'))};
    }
  }

  void replace(const std::vector<std::string>& values, const std::vector<Tensor>& results) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      edit_.change_model().graph.initializers.set(values[i], results[i]);
      edit_.done(edit_.producer(values[i]), fmt::format("computed once, {} bytes", results[i].size_bytes()));
    }
    for (std::int64_t i = 0; i < edit_.node_count(); ++i)
      if (is_inside(i)) edit_.remove_node(i);
  }

  GraphEdit& edit_;
  Context& context_;
  std::vector<bool> inside_;
};

}  // namespace

void fold_constant_region(GraphEdit& edit, Context& context) { ConstantRegion(edit, context).fold(); }

}  // namespace pare
