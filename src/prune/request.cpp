#include "prune/request.h"

#include "core/fail.h"
#include "step/select.h"

namespace pare {

const std::string& PruneRequest::reason_of(const Model& model, std::int64_t node) const {
  static const std::string kNone;
  const auto reason = reasons.find(model.graph.nodes[static_cast<std::size_t>(node)].output(0));
  return reason == reasons.end() ? kNone : reason->second;
}

PruneRequest prune_request(const Model& model, const StepOptions& options, const Context& context) {
  PruneRequest request{.options = options, .context = context, .target = cost_target("prune", {}, options)};
  const std::string& criterion = options.word("criterion");
  request.from_data = criterion == "reconstruction" || (criterion == "auto" && context.data != nullptr);
  request.repair = options.word("repair") == "on" || (options.word("repair") == "auto" && context.data != nullptr);
  if ((criterion == "reconstruction" || options.word("repair") == "on") && context.data == nullptr)
    fail(ErrorCode::kInvalidArgument,
         "prune: {} needs data\n  remedy: give unlabelled samples (a few hundred are enough), or criterion=l2 without "
         "them",
         criterion == "reconstruction" ? "criterion=reconstruction" : "repair");
  const std::vector<std::string> reasons = user_reasons(model.graph, options.words("exclude"), options.words("only"));
  for (std::size_t i = 0; i < reasons.size(); ++i)
    if (!reasons[i].empty()) request.reasons[model.graph.nodes[i].output(0)] = reasons[i];
  return request;
}

}  // namespace pare
