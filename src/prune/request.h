// request.h - what the step prune was asked for, checked against what it was given.
#pragma once

#include <map>
#include <string>

#include "budget/target.h"

namespace pare {

/// The options and the context must outlive it.
struct PruneRequest {
  const StepOptions& options;
  const Context& context;
  CostTarget target;
  bool from_data = false;  ///< samples tell what channels are worth; else the weights do
  bool repair = false;
  std::map<std::string, std::string> reasons = {};  ///< by what a node makes, why the user keeps it as it is

  [[nodiscard]] bool by_time() const noexcept { return target.kind == CostKind::kMilliseconds; }
  /// Why the user keeps the node as it is; "" if it may change.
  [[nodiscard]] const std::string& reason_of(const Model& model, std::int64_t node) const;
};

/// Throws Error(kInvalidArgument) on goals that contradict each other, words that match no node, and options that need
/// data that are not there.
[[nodiscard]] PruneRequest prune_request(const Model& model, const StepOptions& options, const Context& context);

}  // namespace pare
