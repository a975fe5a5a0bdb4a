#include "ops/diff_structure.h"

#include <algorithm>

#include "core/fail.h"

namespace pare {
namespace {

struct ValuePrinter {
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(float v) const { return fmt::format("{:g}", v); }
  std::string operator()(const std::string& v) const { return v; }
  std::string operator()(const Tensor& v) const {
    return fmt::format("{} {}", dtype_name(v.dtype()), shape_text(v.shape()));
  }
  std::string operator()(const std::vector<std::int64_t>& v) const { return shape_text(v); }
  std::string operator()(const std::shared_ptr<const Graph>& v) const {
    return fmt::format("graph of {} nodes", v->nodes.size());
  }
  std::string operator()(const OpaqueProto&) const { return "unread value"; }
  template <class T>
  std::string operator()(const std::vector<T>& v) const {
    return fmt::format("{} entries", v.size());
  }
};
std::string value_text(const Attribute::Value& value) { return std::visit(ValuePrinter{}, value); }

bool same_value(const Attribute::Value& a, const Attribute::Value& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&]<class T>(const T& x) {
        const T& y = std::get<T>(b);
        if constexpr (std::is_same_v<T, Tensor>) {
          return x.same_as(y);
        } else if constexpr (std::is_same_v<T, OpaqueProto>) {
          return x.bytes == y.bytes;
        } else if constexpr (std::is_same_v<T, std::vector<Tensor>>) {
          return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                            [](const Tensor& s, const Tensor& t) { return s.same_as(t); });
        } else {
          return x == y;
        }
      },
      a);
}

/// Differences of two nodes that stand for the same one.
class NodeComparison {
 public:
  NodeComparison(const Graph& a, const Graph& b, std::vector<StructureDiff::Change>& changes)
      : a_(a), b_(b), changes_(changes) {}

  void compare(const Node& x, const Node& y) {
    label_ = node_label(y);
    for (const Attribute& attribute : y.attributes) {
      const Attribute* old = x.find_attribute(attribute.name);
      if (old != nullptr && same_value(old->value, attribute.value)) continue;
      note(fmt::format("attribute {}: {} -> {}", attribute.name, old == nullptr ? "none" : value_text(old->value),
                       value_text(attribute.value)));
    }
    for (const Attribute& attribute : x.attributes)
      if (y.find_attribute(attribute.name) == nullptr)
        note(fmt::format("attribute {}: {} -> none", attribute.name, value_text(attribute.value)));
    for (std::size_t i = 0; i < std::max(x.inputs.size(), y.inputs.size()); ++i) input(x.input(i), y.input(i), i);
  }

 private:
  void input(const std::string& x, const std::string& y, std::size_t index) {
    const Tensor old = a_.constant(x), now = b_.constant(y);
    if (old.empty() || now.empty()) {
      const auto name = [](const Tensor& constant, const std::string& value) {
        return constant.empty() ? "'" + value + "'" : std::string("a constant");
      };
      if (x != y || old.empty() != now.empty())
        note(fmt::format("input {}: {} -> {}", index, name(old, x), name(now, y)));
    } else if (old.dtype() != now.dtype() || old.shape() != now.shape()) {
      note(fmt::format("weight '{}': {} {} -> {} {}", y, dtype_name(old.dtype()), shape_text(old.shape()),
                       dtype_name(now.dtype()), shape_text(now.shape())));
    } else if (!old.same_as(now)) {
      note(fmt::format("weight '{}': other values", y));
    }
  }
  void note(std::string what) { changes_.push_back({label_, std::move(what)}); }

  const Graph& a_;
  const Graph& b_;
  std::vector<StructureDiff::Change>& changes_;
  std::string label_;
};

std::string type_text(const ValueInfo& info) {
  std::string text = std::string(dtype_name(info.dtype)) + " ";
  if (!info.shape) return text + "?";
  text += "[";
  for (const Dim& dim : *info.shape) {
    if (&dim != &info.shape->front()) text += ", ";
    text += dim.value ? std::to_string(*dim.value) : dim.symbol.empty() ? "?" : dim.symbol;
  }
  return text + "]";
}

void compare_interface(const char* kind, const std::vector<ValueInfo>& a, const std::vector<ValueInfo>& b,
                       std::vector<std::string>& out) {
  const auto find = [](const std::vector<ValueInfo>& infos, const std::string& name) {
    return std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& info) { return info.name == name; });
  };
  for (const ValueInfo& now : b) {
    const auto old = find(a, now.name);
    if (old == a.end()) {
      out.push_back(fmt::format("{} '{}' is new", kind, now.name));
    } else if (type_text(*old) != type_text(now)) {
      out.push_back(fmt::format("{} '{}': {} -> {}", kind, now.name, type_text(*old), type_text(now)));
    }
  }
  for (const ValueInfo& old : a)
    if (find(b, old.name) == b.end()) out.push_back(fmt::format("{} '{}' is gone", kind, old.name));
}

}  // namespace

StructureDiff diff_structure(const Model& before, const Model& after) {
  StructureDiff diff;
  std::unordered_map<std::string, const Node*> by_output, by_name;
  for (const Node& node : before.graph.nodes) {
    by_output[node.output(0)] = &node;
    if (!node.name.empty() && !by_name.try_emplace(node.name, &node).second)
      by_name[node.name] = nullptr;  // not unique
    ++diff.op_counts[node.op_type].first;
  }
  std::unordered_set<const Node*> matched;
  NodeComparison comparison(before.graph, after.graph, diff.changed);
  for (const Node& node : after.graph.nodes) {
    ++diff.op_counts[node.op_type].second;
    const auto named = by_name.find(node.name);
    const Node* old = named != by_name.end() && named->second != nullptr && named->second->op_type == node.op_type
                          ? named->second
                          : nullptr;
    if (old == nullptr || matched.contains(old)) {
      const auto made = by_output.find(node.output(0));
      old = made != by_output.end() && made->second->op_type == node.op_type ? made->second : nullptr;
    }
    if (old == nullptr || !matched.insert(old).second) {
      diff.added.push_back(node_label(node));
    } else {
      comparison.compare(*old, node);
    }
  }
  for (const Node& node : before.graph.nodes)
    if (!matched.contains(&node)) diff.removed.push_back(node_label(node));
  std::erase_if(diff.op_counts, [](const auto& entry) { return entry.second.first == entry.second.second; });
  if (before.opset() != after.opset())
    diff.interface.push_back(fmt::format("opset {} -> {}", before.opset(), after.opset()));
  compare_interface("input", before.graph.inputs, after.graph.inputs, diff.interface);
  compare_interface("output", before.graph.outputs, after.graph.outputs, diff.interface);
  return diff;
}

}  // namespace pare
