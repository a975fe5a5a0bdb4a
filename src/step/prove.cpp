#include "step/prove.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/fail.h"
#include "core/parallel.h"
#include "step/check_cases.h"
#include "step/compare_outputs.h"

namespace pare {
namespace {

/// Values that nodes choose positions by; the same in both networks or this is no way around.
std::vector<std::string> chosen_by(const Model& expected, const Model& actual) {
  constexpr std::array<std::string_view, 6> kChoosers = {"TopK",   "NonMaxSuppression", "ArgMax",
                                                         "ArgMin", "NonZero",           "Hardmax"};
  const GraphIndex index(actual.graph);
  std::vector<std::string> values;
  std::unordered_set<std::string> chosen;  // what follows a first choice is as different as it
  for (const Node& node : expected.graph.nodes) {
    const bool chooses = std::find(kChoosers.begin(), kChoosers.end(), node.op_type) != kChoosers.end();
    const bool behind = std::any_of(node.inputs.begin(), node.inputs.end(),
                                    [&](const std::string& input) { return chosen.contains(input); });
    if (chooses || behind) chosen.insert(node.outputs.begin(), node.outputs.end());
    if (!chooses || behind) continue;
    for (std::size_t i = 0; i < node.inputs.size() && i < 2; ++i)
      if (index.producer(node.input(i)) >= 0 && !index.is_output(node.input(i)) &&
          std::find(values.begin(), values.end(), node.input(i)) == values.end())
        values.push_back(node.input(i));
  }
  return values;
}

std::vector<std::vector<Tensor>> run_cases(const Model& model, std::vector<CheckCase>& cases, const Context& context,
                                           const std::vector<std::string>& extra, bool may_refuse) {
  SessionOptions options = context.session;
  options.threads = working_threads(options.threads);
  options.force_float32 = true;
  options.profile = false;
  options.extra_outputs = extra;
  const std::unique_ptr<Session> session = open_session(model, options);
  std::vector<std::vector<Tensor>> results;
  std::vector<CheckCase> ran;
  for (CheckCase& one : cases) {
    try {
      results.push_back(session->run(one.inputs));
      ran.push_back(std::move(one));
    } catch (const Error&) {
      if (!may_refuse || one.must_run) throw;
    }
  }
  cases = std::move(ran);
  return results;
}

}  // namespace

StepCheck prove_equal(const std::string& what, const Model& expected, const Model& actual, const Context& context) {
  std::vector<CheckCase> cases = check_cases(expected, context);
  const std::vector<std::string> inner = chosen_by(expected, actual);
  const auto wanted = run_cases(expected, cases, context, inner, true);
  std::vector<std::vector<Tensor>> got;
  try {
    got = run_cases(actual, cases, context, inner, false);
  } catch (const Error& error) {
    fail(ErrorCode::kInternal, "{}: the result does not run: {}", what, error.what());
  }
  const std::vector<ValueInfo>& outputs = expected.graph.outputs;
  std::vector<ValueInfo> choices;
  for (const std::string& value : inner)
    choices.push_back({.name = value, .shape = {}, .doc = {}, .opaque_type = {}, .metadata = {}});
  const OutputTolerance tolerance = tolerance_for(expected);
  OutputDifference worst;
  bool by_choice = false;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto part = [&](const std::vector<Tensor>& all, bool own) {
      const auto middle = all.begin() + static_cast<std::ptrdiff_t>(outputs.size());
      return own ? std::vector<Tensor>(all.begin(), middle) : std::vector<Tensor>(middle, all.end());
    };
    OutputDifference one = compare_outputs(outputs, part(wanted[i], true), part(got[i], true), tolerance);
    if (!one.within && !choices.empty()) {
      by_choice = true;
      one = compare_outputs(choices, part(wanted[i], false), part(got[i], false), tolerance);
    }
    if (!one.within) fail(ErrorCode::kInternal, "{}: {}: {}", what, cases[i].name, one.text);
    if (i == 0 || one.share > worst.share) worst = std::move(one);
  }
  return {.name = what,
          .passed = true,
          .detail = fmt::format("{} inputs, {}{}", cases.size(), worst.text,
                                by_choice ? "; compared at what boxes or indices are chosen from" : "")};
}

}  // namespace pare
