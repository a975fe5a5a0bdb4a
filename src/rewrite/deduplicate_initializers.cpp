// Before:        Conv(x, W1), Conv(y, W2) with W1 = W2 byte for byte
// After:         Conv(x, W1), Conv(y, W1)
// Fires when:    two initializers agree in type, shape and bytes
// Declines when: the second one is an output of the graph or holds a quantization annotation
// Formula:       none: equal bytes
#include <string_view>
#include <unordered_map>

#include "core/fail.h"
#include "rewrite/rewrites.h"

namespace pare {
namespace {

std::size_t hash_of(const Tensor& tensor) {
  const std::span<const std::byte> bytes = tensor.bytes();
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

StepResult run(const Model& model, Context&) {
  GraphEdit edit(model);
  std::unordered_multimap<std::size_t, std::pair<std::string, Tensor>> seen;
  std::vector<std::pair<std::string, std::string>> twins;
  for (const auto& entry : model.graph.initializers) {
    const std::size_t hash = hash_of(entry.tensor);
    std::string first;
    for (auto [at, end] = seen.equal_range(hash); at != end && first.empty(); ++at)
      if (at->second.second.same_as(entry.tensor)) first = at->second.first;
    if (first.empty())
      seen.emplace(hash, std::pair(entry.name, entry.tensor));
    else if (!edit.is_output(entry.name) && !is_annotated(model.graph, entry.name))
      twins.emplace_back(entry.name, first);
  }
  std::unordered_map<std::string, bool> gone;
  for (const auto& [twin, first] : twins) {
    edit.redirect(twin, first);
    gone.emplace(twin, true);
    edit.done({twin, "initializer", fmt::format("the same as '{}'", first)});
  }
  edit.change_model().graph.initializers.keep_if([&](const std::string& name) { return !gone.contains(name); });
  return edit.finish();
}

}  // namespace

StepInfo deduplicate_initializers() {
  return rewrite_step("deduplicate_initializers", "Stores equal weights once", run);
}

}  // namespace pare
