// The one list of all steps, from the .def lists of the folders that hold them.
#include "core/fail.h"
#include "core/words.h"
#include "factorize/steps.h"
#include "pare/step.h"
#include "prune/steps.h"
#include "quantize/steps.h"
#include "rewrite/rewrites.h"
#include "train/steps.h"

namespace pare {

const std::vector<StepInfo>& all_steps() {
  static const std::vector<StepInfo> steps = [] {
    std::vector<StepInfo> list;
#define PARE_STEP(name) list.push_back(name());
#include "factorize/steps.def"
#include "prune/steps.def"
#include "quantize/steps.def"
#include "rewrite/rewrites.def"
#include "train/steps.def"
#undef PARE_STEP
    return list;
  }();
  return steps;
}

const StepInfo& find_step(std::string_view name) {
  std::vector<std::string> names;
  for (const StepInfo& step : all_steps()) {
    if (step.name == name) return step;
    names.push_back(step.name);
  }
  fail(ErrorCode::kInvalidArgument, "there is no step '{}'{}\n  steps: {}", name, nearest_hint(name, names),
       join(names, ", "));
}

}  // namespace pare
