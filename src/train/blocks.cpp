#include "train/blocks.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "fit/sub_model.h"
#include "ops/constant_roots.h"

namespace pare {
namespace {

constexpr std::array<std::string_view, 6> kWeighted = {"Conv", "ConvTranspose", "FusedConv", "Gemm", "MatMul", "PRelu"};
/// What may follow the last layer of a block and still belongs to it: element by element, or a constant per channel.
constexpr std::array<std::string_view, 22> kFollows = {"Relu",
                                                       "Clip",
                                                       "LeakyRelu",
                                                       "PRelu",
                                                       "Elu",
                                                       "Selu",
                                                       "Celu",
                                                       "Gelu",
                                                       "Mish",
                                                       "Sigmoid",
                                                       "HardSigmoid",
                                                       "Tanh",
                                                       "Softplus",
                                                       "HardSwish",
                                                       "Identity",
                                                       "Dropout",
                                                       "BatchNormalization",
                                                       "Add",
                                                       "Sub",
                                                       "Mul",
                                                       "Div",
                                                       "Erf"};

template <class List>
bool listed(const List& list, const Node& node) {
  return std::find(list.begin(), list.end(), node.op_type) != list.end();
}

/// Facts about the changed network that cutting needs.
class Cutter {
 public:
  Cutter(const Model& dense, const Trace& dense_trace, const Model& changed, const Trace& trace)
      : dense_(dense),
        dense_trace_(dense_trace),
        changed_(changed),
        trace_(trace),
        index_(changed.graph),
        roots_(changed.graph),
        dense_roots_(dense.graph) {}

  std::vector<BlockEnd> ends() {
    read_dense();
    const std::vector<Cut> cuts = find_cuts();
    std::vector<BlockEnd> ends;
    bool open = false;  // the last end may still move behind an activation
    std::size_t from = 0;
    bool weighted = false;
    for (const Cut& cut : cuts) {
      bool follows = true;
      for (std::size_t i = from; i <= cut.node; ++i) {
        const Node& node = changed_.graph.nodes[i];
        if (roots_.computes_constants(node)) continue;
        weighted = weighted || (has_weight(node) && !node.is("PRelu"));
        follows = follows && listed(kFollows, node);
      }
      from = cut.node + 1;
      if (weighted) {
        ends.push_back(cut.end);
        open = true;
        weighted = false;
      } else if (open && follows) {
        ends.back() = cut.end;
      } else {
        open = false;
      }
    }
    add_outputs(ends);
    leave_short_chains_whole(ends);
    return ends;
  }

 private:
  struct Cut {
    std::size_t node = 0;
    BlockEnd end;
  };

  bool has_weight(const Node& node) const {
    return listed(kWeighted, node) &&
           std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](const std::string& input) { return !input.empty() && roots_.is_constant(input); });
  }

  void read_dense() {
    for (const Node& node : dense_.graph.nodes)
      for (const std::string& output : node.outputs)
        if (!output.empty()) makers_[output] = &node;
  }

  static const Shape* shape_in(const Trace& trace, const std::string& value) {
    const auto found = trace.shapes.find(value);
    const auto type = trace.dtypes.find(value);
    if (found == trace.shapes.end() || (type != trace.dtypes.end() && type->second != DType::kFloat32)) return nullptr;
    return &found->second;
  }

  /// Where a block was dropped, its readers read the end of the block before it: that value stands for the dropped
  /// block's end.
  std::string dense_name(const std::string& value) const {
    std::string other;
    for (const GraphIndex::Use& use : index_.uses(value)) {
      if (use.input < 0) continue;
      const auto same = makers_.find(changed_.graph.nodes[static_cast<std::size_t>(use.node)].output(0));
      if (same == makers_.end()) continue;
      const std::string& reads = same->second->input(static_cast<std::size_t>(use.input));
      if (reads == value) return value;
      if (reads.empty() || dense_roots_.is_constant(reads)) continue;
      if (!other.empty() && other != reads) return value;
      other = reads;
    }
    return other.empty() ? value : other;
  }

  static bool goes_with(const Shape& shape, Shape dense) {
    if (shape.size() >= 2 && shape.size() == dense.size() && shape[1] < dense[1]) dense[1] = shape[1];
    return shape == dense;
  }

  /// "" where the two networks have no value in common.
  std::string counterpart(const std::string& value) const {
    const Shape* shape = shape_in(trace_, value);
    if (shape == nullptr || shape->empty()) return "";
    for (const std::string& name : {dense_name(value), value}) {
      const Shape* other = shape_in(dense_trace_, name);
      if (makers_.contains(name) && other != nullptr && goes_with(*shape, *other) && !dense_roots_.is_constant(name))
        return name;
    }
    return "";
  }

  /// Values that the nodes so far have made and that later ones read are all that the rest of the network sees. One of
  /// them alone: a cut. One that was a cut and that only a Concat takes up again (the skips of a U-Net) does not count.
  std::vector<Cut> find_cuts() const {
    const std::vector<Node>& nodes = changed_.graph.nodes;
    std::unordered_map<std::string, std::size_t> last_read, last_used;  // after which node; used: not by a Concat
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (const std::string& name : values_read(nodes[i])) {
        last_read[name] = i;
        if (!nodes[i].is("Concat")) last_used[name] = i;
      }
    const auto later = [](const std::unordered_map<std::string, std::size_t>& last, const std::string& name,
                          std::size_t i) {
      const auto found = last.find(name);
      return found != last.end() && found->second > i;
    };
    const auto lives = [&](const std::string& name) {
      return !name.empty() && !roots_.is_constant(name) && shape_in(trace_, name) != nullptr;
    };
    std::unordered_set<std::string> alive, was_cut;
    for (const ValueInfo& input : changed_.graph.inputs)
      if (lives(input.name)) alive.insert(input.name);
    std::vector<Cut> cuts;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (roots_.computes_constants(nodes[i])) continue;
      for (const std::string& output : nodes[i].outputs)
        if (lives(output)) alive.insert(output);
      std::erase_if(alive, [&](const std::string& name) { return !later(last_read, name, i); });
      const std::string& made = nodes[i].output(0);
      if (!lives(made)) continue;
      const bool alone = std::all_of(alive.begin(), alive.end(), [&](const std::string& name) {
        return name == made || (was_cut.contains(name) && !later(last_used, name, i));
      });
      if (!alone) continue;
      was_cut.insert(made);
      if (const std::string dense = counterpart(made); !dense.empty()) cuts.push_back({i, end_of(made, dense)});
    }
    return cuts;
  }

  /// Of a network that ends in probabilities, the scores before them are what is compared: softmax hides errors.
  void add_outputs(std::vector<BlockEnd>& ends) const {
    for (const ValueInfo& output : changed_.graph.outputs) {
      std::string value = output.name;
      for (std::int64_t maker = index_.producer(value); maker >= 0; maker = index_.producer(value)) {
        const Node& node = changed_.graph.nodes[static_cast<std::size_t>(maker)];
        if (!node.is("Softmax") && !node.is("LogSoftmax") && !node.is("Sigmoid")) break;
        if (counterpart(node.input(0)).empty()) break;
        value = node.input(0);
      }
      const std::string dense = counterpart(value);
      if (dense.empty()) continue;
      const bool known = std::any_of(ends.begin(), ends.end(), [&](const BlockEnd& end) { return end.value == value; });
      if (!known) ends.push_back(end_of(value, dense));
    }
  }

  BlockEnd end_of(const std::string& value, const std::string& dense) const {
    return {.value = value, .dense = dense, .fewer_channels = trace_.shapes.at(value) != dense_trace_.shapes.at(dense)};
  }

  /// Blocks of up to three layers (an inverted residual) are better fitted as one to all the channels at their end.
  static void leave_short_chains_whole(std::vector<BlockEnd>& ends) {
    constexpr std::ptrdiff_t kShort = 2;  // ends inside of three layers
    const auto fewer = [](const BlockEnd& end) { return end.fewer_channels; };
    for (auto from = std::find_if(ends.begin(), ends.end(), fewer); from != ends.end();
         from = std::find_if(from, ends.end(), fewer)) {
      const auto to = std::find_if_not(from, ends.end(), fewer);
      from = to - from <= kShort ? ends.erase(from, to) : to;
    }
  }

  const Model& dense_;
  const Trace& dense_trace_;
  const Model& changed_;
  const Trace& trace_;
  GraphIndex index_;
  ConstantRoots roots_, dense_roots_;
  std::unordered_map<std::string, const Node*> makers_;  ///< of the dense network's values
};

}  // namespace

std::vector<BlockEnd> find_block_ends(const Model& dense, const Trace& dense_trace, const Model& changed,
                                      const Trace& trace) {
  return Cutter(dense, dense_trace, changed, trace).ends();
}

std::vector<BlockEnd> every_nth(const std::vector<BlockEnd>& ends, std::int64_t span) {
  std::vector<BlockEnd> kept;
  const auto step = static_cast<std::size_t>(span);
  for (std::size_t i = 0; i < ends.size(); ++i)
    if ((i + 1) % step == 0 || i + 1 == ends.size()) kept.push_back(ends[i]);
  return kept;
}

}  // namespace pare
