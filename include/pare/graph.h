// pare/graph.h - the network as a list of nodes over named values; every rewrite and technique works on this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "pare/tensor.h"

namespace pare {

struct Graph;

/// A serialized protobuf message that pare carries through unread (sparse tensors, type protos, function bodies).
struct OpaqueProto {
  int attribute_type = 0;  ///< AttributeProto.AttributeType
  std::string bytes;       ///< the whole AttributeProto
};

/// One attribute of a node. Graphs are shared and never modified in place: replace the pointer to change one.
struct Attribute {
  using Value = std::variant<std::int64_t, float, std::string, Tensor, std::shared_ptr<const Graph>,
                             std::vector<std::int64_t>, std::vector<float>, std::vector<std::string>,
                             std::vector<Tensor>, std::vector<std::shared_ptr<const Graph>>, OpaqueProto>;
  std::string name;
  Value value;
  std::string doc;
};

struct Node {
  std::string name;     ///< may be empty, need not be unique
  std::string op_type;  ///< "Conv"
  std::string domain;   ///< "" is ONNX's own ("ai.onnx" is read as "")
  std::string overload;
  std::string doc;
  std::vector<std::string> inputs;   ///< value names; "" is an optional input left out
  std::vector<std::string> outputs;  ///< value names; "" is an optional output left out
  std::vector<Attribute> attributes;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string unread = {};  ///< serialized NodeProto of the fields that pare does not know (device configurations ...)

  [[nodiscard]] bool is(std::string_view op) const noexcept { return domain.empty() && op_type == op; }
  /// The name of input or output `index`, "" if it is left out or beyond the end.
  [[nodiscard]] const std::string& input(std::size_t index) const noexcept;
  [[nodiscard]] const std::string& output(std::size_t index) const noexcept;
  [[nodiscard]] const Attribute* find_attribute(std::string_view attribute) const noexcept;
  /// Attribute of that type, or the fallback when it is absent. Throws Error(kMalformedModel) if it has another type.
  [[nodiscard]] std::int64_t int_or(std::string_view attribute, std::int64_t fallback) const;
  [[nodiscard]] float float_or(std::string_view attribute, float fallback) const;
  [[nodiscard]] std::string string_or(std::string_view attribute, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::int64_t> ints_or(std::string_view attribute, std::vector<std::int64_t> fallback) const;
  /// Adds or replaces.
  void set_attribute(std::string_view attribute, Attribute::Value value);
  void remove_attribute(std::string_view attribute);
  /// True if any attribute holds a graph (If, Loop, Scan ...).
  [[nodiscard]] bool has_subgraph() const noexcept;
};

/// One dimension of a declared shape: a number, a symbol ("N"), or neither (unknown).
struct Dim {
  std::optional<std::int64_t> value;
  std::string symbol;
  std::string denotation;
  [[nodiscard]] bool operator==(const Dim&) const = default;
};

/// Declared type of an input, an output or an inner value.
struct ValueInfo {
  std::string name;
  DType dtype = DType::kUndefined;
  std::optional<std::vector<Dim>> shape;  ///< absent: rank unknown
  std::string doc;
  std::string
      opaque_type;  ///< serialized TypeProto where the value is no dense tensor (sequence, map, optional, sparse)
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string denotation = {};  ///< of the type ("IMAGE")

  /// The shape if every dimension is a number.
  [[nodiscard]] std::optional<Shape> static_shape() const;
};

/// Weights by name, in file order.
class Initializers {
 public:
  struct Entry {
    std::string name;
    Tensor tensor;
    std::string doc;
  };
  [[nodiscard]] const Tensor* find(std::string_view name) const noexcept;  ///< null: absent
  [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
  /// Adds, or replaces the tensor of that name in its place.
  void set(const std::string& name, Tensor tensor, std::string doc = {});
  void remove(std::string_view name);
  /// Keeps the entries whose name satisfies the predicate, in order; returns how many went.
  template <class Predicate>
  std::int64_t keep_if(Predicate keep) {
    std::vector<Entry> kept;
    for (Entry& entry : entries_)
      if (keep(std::as_const(entry.name))) kept.push_back(std::move(entry));
    const auto gone = static_cast<std::int64_t>(entries_.size() - kept.size());
    entries_ = std::move(kept);
    reindex();
    return gone;
  }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] auto begin() const noexcept { return entries_.begin(); }
  [[nodiscard]] auto end() const noexcept { return entries_.end(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  void reindex();
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

/// A plain value: copy it, change the copy. Copies share all tensors. Nothing is kept consistent behind your back;
/// `check_model` (model_io.h) tells whether what you made is still valid. Nodes stand in topological order in every
/// graph that a step hands on (`sort_topologically`).
struct Graph {
  std::string name;
  std::string doc;
  std::vector<Node> nodes;
  Initializers initializers;
  std::vector<ValueInfo>
      inputs;  ///< without those that only give an initializer's default (see Model::weights_as_inputs)
  std::vector<ValueInfo> outputs;
  std::vector<ValueInfo> value_info;                  ///< declared types of inner values; steps drop and recompute it
  std::vector<std::string> sparse_initializers;       ///< serialized SparseTensorProto
  std::vector<std::string> quantization_annotations;  ///< serialized TensorAnnotation
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string unread = {};  ///< serialized GraphProto of the fields that pare does not know

  /// The constant behind a value name: an initializer, or the tensor of a Constant node (value, value_float, value_ints
  /// ...). Empty tensor: not a constant. Walks all nodes: many look-ups go through GraphIndex::constant.
  [[nodiscard]] Tensor constant(std::string_view value) const;
  [[nodiscard]] const ValueInfo* find_input(std::string_view value) const noexcept;
  [[nodiscard]] const ValueInfo* find_output(std::string_view value) const noexcept;
};

struct OpsetImport {
  std::string domain;
  std::int64_t version = 0;
};

/// A whole ONNX file. What pare does not read it carries through.
struct Model {
  Graph graph;
  std::int64_t ir_version = 8;
  std::vector<OpsetImport> opset_imports;
  std::string producer_name, producer_version, domain, doc;
  std::int64_t model_version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::string> functions;      ///< serialized FunctionProto
  std::vector<std::string> training_info;  ///< serialized TrainingInfoProto
  /// Graph inputs of the file that only name an initializer (IR 3 style). They are not written back: listed as inputs,
  /// weights are no constants to a runtime, and its optimizations stay away from them. Files come out as IR 4 at least.
  std::vector<ValueInfo> weights_as_inputs;
  std::string unread = {};  ///< serialized ModelProto of the fields that pare does not know (device configurations ...)

  /// Version of ONNX's own operator set; 0 if the model imports none.
  [[nodiscard]] std::int64_t opset() const noexcept;
  void set_opset(std::int64_t version);
  [[nodiscard]] const std::string* find_metadata(std::string_view key) const noexcept;
  void set_metadata(std::string_view key, std::string value);
};

/// Who makes and who reads each value of one graph; a snapshot, to be made anew after changes.
class GraphIndex {
 public:
  struct Use {
    std::int64_t node = 0;
    std::int64_t input = 0;  ///< index into Node::inputs; -1: a subgraph of the node captures the value
  };
  explicit GraphIndex(const Graph& graph);
  /// Index of the node that makes the value, -1 for graph inputs, initializers and unknown names.
  [[nodiscard]] std::int64_t producer(std::string_view value) const noexcept;
  /// All reads by nodes, in node order; graph outputs not counted.
  [[nodiscard]] const std::vector<Use>& uses(std::string_view value) const noexcept;
  [[nodiscard]] bool is_output(std::string_view value) const noexcept;
  /// The one node that reads the value, or -1 when there are none, several, a capture, or it is a graph output too.
  [[nodiscard]] std::int64_t sole_consumer(std::string_view value) const noexcept;
  /// As Graph::constant, without the walk; of the graph as it was when the index was made.
  [[nodiscard]] Tensor constant(std::string_view value) const;

 private:
  std::unordered_map<std::string, std::int64_t> producers_;
  std::unordered_map<std::string, std::vector<Use>> uses_;
  std::unordered_set<std::string> outputs_;
  std::unordered_map<std::string, Tensor> constants_;
};

/// Hands out names that nothing in the graph or its subgraphs uses.
class NameGenerator {
 public:
  explicit NameGenerator(const Graph& graph);
  /// `wanted` itself if free, else wanted_1, wanted_2 ...; the result is taken from then on.
  std::string fresh(std::string_view wanted);

 private:
  std::unordered_set<std::string> taken_;
};

/// Orders nodes so that each comes after what it reads, otherwise as they were. Returns true if the order changed.
/// Throws Error(kMalformedModel) naming the nodes of a cycle.
bool sort_topologically(Graph& graph);

/// Values that a graph's nodes read from outside it (captures of a subgraph).
[[nodiscard]] std::vector<std::string> captured_values(const Graph& subgraph);

/// "Conv 'layer1.0.conv1'", or "Conv #12 (output 'x')" if the node has no name. For messages.
[[nodiscard]] std::string node_label(const Node& node, std::int64_t index = -1);

/// The batch size that all inputs are fixed to, nullopt if they leave it open. Throws Error(kUnsupported) if they
/// differ or hold no sample.
[[nodiscard]] std::optional<std::int64_t> fixed_batch(const std::vector<ValueInfo>& inputs);

/// Makes every reader of `from`, subgraphs included, read `to`; graph outputs are not touched.
void replace_uses(Graph& graph, std::string_view from, const std::string& to);

}  // namespace pare
