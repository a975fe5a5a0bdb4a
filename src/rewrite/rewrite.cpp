// Before:        a model as its exporter left it
// After:         the same function with fewer nodes and fewer bytes: raised to opset 13, sorted, constants folded,
// no-ops
//                gone, normalization and bias inside the layers, equal weights stored once, nothing unused
// Fires when:    any rewrite of rewrites.def fires
// Declines when: every rewrite declines; the reasons of the last round are in `skipped`
// Formula:       rounds of all rewrites in their order until one round changes nothing, at most ten
#include "rewrite/rewrites.h"

#include "core/fail.h"

namespace pare {
namespace {

constexpr int kMaxRounds = 10;

void append(std::vector<NodeReason>& all, const std::string& rewrite, std::vector<NodeReason> more) {
  for (NodeReason& one : more) {
    one.reason = fmt::format("{}: {}", rewrite, one.reason);
    all.push_back(std::move(one));
  }
}

}  // namespace

std::vector<StepInfo> all_rewrites() {
  std::vector<StepInfo> steps;
#define PARE_STEP(name) steps.push_back(name());
#include "rewrite/rewrites.def"
#undef PARE_STEP
  std::erase_if(steps, [](const StepInfo& step) { return step.name == "rewrite"; });
  return steps;
}

StepResult rewrite_model(const Model& model, Context& context) {
  StepResult all;
  all.model = model;
  const std::vector<StepInfo> steps = all_rewrites();
  ProgressTask progress(*context.progress, "rewriting", kMaxRounds, "rounds");
  for (int round = 0; round < kMaxRounds; ++round) {
    std::int64_t changes = 0;
    all.skipped.clear();
    for (const StepInfo& step : steps) {
      StepResult one = step.run(all.model, StepOptions(step.options, {}), context);
      changes += one.changes;
      all.figures[step.name] += static_cast<double>(one.changes);
      append(all.done, step.name, std::move(one.done));
      append(all.skipped, step.name, std::move(one.skipped));
      all.notes.insert(all.notes.end(), one.notes.begin(), one.notes.end());
      all.model = std::move(one.model);
    }
    all.changes += changes;
    progress.advance(round + 1);
    if (changes == 0) break;
  }
  return all;
}

void prove_one_by_one(const std::vector<StepInfo>& steps, const Model& model, Context& context) {
  Model current = model;
  for (int round = 0; round < kMaxRounds; ++round) {
    std::int64_t changes = 0;
    for (const StepInfo& step : steps) {
      StepResult one = run_step(step, current, StepOptions(step.options, {}), context).result;
      changes += one.changes;
      current = std::move(one.model);
    }
    if (changes == 0) return;
  }
}

CheckedResult prove_rewrites(const Model& model, Context& context) {
  try {
    return run_step(rewrite(), model, StepOptions({}, {}), context);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInternal) throw;
    prove_one_by_one(all_rewrites(), model, context);
    throw;  // each alone is within its tolerance: only their sum is not
  }
}

StepInfo rewrite() {
  return rewrite_step("rewrite", "Runs all exact rewrites in order until nothing changes any more", rewrite_model);
}

}  // namespace pare
