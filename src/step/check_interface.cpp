#include "step/check_interface.h"

#include "core/fail.h"

namespace pare {
namespace {

std::string type_text(const ValueInfo& info) {
  std::string text(dtype_name(info.dtype));
  if (!info.shape) return text + " of unknown rank";
  text += '[';
  for (const Dim& dim : *info.shape) {
    if (text.back() != '[') text += ", ";
    text += dim.value ? std::to_string(*dim.value) : dim.symbol.empty() ? "?" : dim.symbol;
  }
  return text + ']';
}

std::optional<std::string> list_fault(const char* kind, const std::vector<ValueInfo>& before,
                                      const std::vector<ValueInfo>& after, bool exact) {
  if (before.size() != after.size())
    return fmt::format("the model had {} {}s and now has {}", before.size(), kind, after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const ValueInfo& old = before[i];
    const ValueInfo& now = after[i];
    if (old.name != now.name) return fmt::format("{} {} was '{}' and is now '{}'", kind, i, old.name, now.name);
    const bool float_for_float = !exact && is_float(old.dtype) && is_float(now.dtype);
    if ((old.dtype != now.dtype && !float_for_float) || old.shape != now.shape || old.opaque_type != now.opaque_type)
      return fmt::format("{} '{}' was {} and is now {}", kind, old.name, type_text(old), type_text(now));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> interface_fault(const Model& before, const Model& after, bool exact) {
  if (auto fault = list_fault("input", before.graph.inputs, after.graph.inputs, exact)) return fault;
  return list_fault("output", before.graph.outputs, after.graph.outputs, exact);
}

}  // namespace pare
