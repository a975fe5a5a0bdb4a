#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>

#include "core/fail.h"
#include "core/parallel.h"
#include "core/words.h"
#include "pare/model_io.h"
#include "pare/step.h"
#include "step/check_cases.h"
#include "step/check_interface.h"
#include "step/compare_outputs.h"

namespace pare {
namespace {

constexpr const char* kStructure = "structure";
constexpr const char* kInterface = "same inputs and outputs";
constexpr const char* kLoadsOn = "loads with optimizations on";
constexpr const char* kLoadsOff = "loads with optimizations off";
constexpr const char* kAgree = "optimizations on and off agree";
constexpr const char* kSame = "same outputs";

/// An error's lines without its remedy, which is for the one who asked for the model, as one line.
std::string in_one_line(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string& line : split(text, '\n'))
    if (std::string trimmed = trim(line); !trimmed.empty() && !trimmed.starts_with("remedy:")) lines.push_back(trimmed);
  return join(lines, " ");
}

/// Collects the checks of one step; a failed one ends everything.
class Proof {
 public:
  Proof(const std::string& step, std::vector<StepCheck>& checks) : step_(step), checks_(checks) {}
  void pass(const char* check, std::string detail) { checks_.push_back({check, true, std::move(detail)}); }
  void not_run(const char* check, const std::string& reason) {
    checks_.push_back({check, false, "not run: " + reason});
  }
  [[noreturn]] void broken(const char* check, const std::string& detail) const {
    fail(ErrorCode::kInternal,
         "step '{}' failed its check '{}': {}\n  remedy: nothing was changed; leave the step out, and please report it",
         step_, check, detail);
  }

 private:
  const std::string& step_;
  std::vector<StepCheck>& checks_;
};

StepResult run_guarded(const StepInfo& step, const Model& model, const StepOptions& options, Context& context) {
  try {
    const Model copy = model;
    return step.run(copy, options, context);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(ErrorCode::kInternal, "step '{}' stopped with: {}", step.name, error.what());
  }
}

std::optional<std::string> structure_fault(const Model& model) {
  try {
    check_model(model);
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

void check_structure(const Model& before, const Model& after, Proof& proof) {
  const std::optional<std::string> fault = structure_fault(after);
  if (!fault) return proof.pass(kStructure, "valid ONNX, shapes consistent");
  // Files that a strict reading refuses but runtimes take are common; the step has only to keep them no worse.
  const std::optional<std::string> old = structure_fault(before);
  if (!old) proof.broken(kStructure, *fault);
  proof.not_run(kStructure, fmt::format("the model had a fault before: {}", in_one_line(*old)));
}

/// What the model before the step gives on each case; nothing else of it is kept.
struct Reference {
  std::vector<CheckCase> cases;
  std::vector<std::vector<Tensor>> outputs;
  std::vector<std::string> left_out;  ///< cases that the model refuses
};

SessionOptions options_for(const Context& context, bool optimize) {
  SessionOptions options = context.session;
  options.threads = working_threads(options.threads);
  options.optimize = optimize;
  options.profile = false;
  options.force_float32 = true;
  options.extra_outputs.clear();
  return options;
}

Reference run_reference(const Model& model, const Context& context) {
  Reference reference;
  std::vector<CheckCase> cases = check_cases(model, context);
  const std::unique_ptr<Session> session = open_session(model, options_for(context, true));
  for (CheckCase& one : cases) {
    try {
      reference.outputs.push_back(session->run(one.inputs));
      reference.cases.push_back(std::move(one));
    } catch (const Error&) {
      if (one.must_run) throw;
      reference.left_out.push_back(one.name);
    }
  }
  return reference;
}

/// Null if the model before the step does not load that way either.
std::unique_ptr<Session> open_after(const Model& before, const Model& after, const SessionOptions& options,
                                    const char* check, Proof& proof) {
  try {
    std::unique_ptr<Session> session = open_session(after, options);
    proof.pass(check, session->description());
    return session;
  } catch (const Error& error) {
    try {
      (void)open_session(before, options);
    } catch (const Error& old) {
      proof.not_run(check, fmt::format("the model before does not load so either: {}", in_one_line(old.what())));
      return nullptr;
    }
    proof.broken(check, error.what());
  }
}

std::vector<std::vector<Tensor>> run_all(Session& session, const Reference& reference, const Model& after,
                                         const char* check, const Proof& proof, ProgressTask& progress) {
  std::vector<std::vector<Tensor>> outputs;
  for (const CheckCase& one : reference.cases) {
    try {
      outputs.push_back(session.run(as_declared(one.inputs, after)));
    } catch (const Error& error) {
      proof.broken(check, fmt::format("{}: {}", one.name, error.what()));
    }
    progress.advance(static_cast<std::int64_t>(outputs.size()));
  }
  return outputs;
}

/// How far the model before lies apart from itself with the runtime's optimizations on and off, per case: rounding
/// that the model amplifies by itself is no fault of the step. 0 where it does not load without them: no excuse then.
std::vector<double> own_spread(const Model& before, const Reference& reference, const Context& context,
                               const OutputTolerance& tolerance) {
  std::vector<double> shares(reference.cases.size(), 0);
  try {
    const std::unique_ptr<Session> plain = open_session(before, options_for(context, false));
    for (std::size_t i = 0; i < shares.size(); ++i)
      shares[i] =
          compare_outputs(before.graph.outputs, reference.outputs[i], plain->run(reference.cases[i].inputs), tolerance)
              .share;
  } catch (const Error&) {
    return shares;
  }
  return shares;
}

struct Comparison {
  const char* check;
  const std::vector<std::vector<Tensor>>& expected;
  const std::vector<std::vector<Tensor>>& actual;
  OutputTolerance tolerance;
};

void compare_all(const Model& before, const Reference& reference, const Context& context, const Comparison& comparison,
                 Proof& proof) {
  constexpr double kOwnSpreads = 4;
  std::vector<double> spread;
  OutputDifference worst;
  std::string where, excuse;
  for (std::size_t i = 0; i < reference.cases.size(); ++i) {
    OutputDifference one =
        compare_outputs(before.graph.outputs, comparison.expected[i], comparison.actual[i], comparison.tolerance);
    if (!one.within) {
      if (spread.empty()) spread = own_spread(before, reference, context, comparison.tolerance);
      if (!(one.share <= kOwnSpreads * spread[i]))
        proof.broken(comparison.check, fmt::format("{}: {}", reference.cases[i].name, one.text));
      excuse = fmt::format("; the model before differs from itself by {:.2g} with optimizations on and off", spread[i]);
    }
    if (i == 0 || one.share > worst.share) worst = std::move(one), where = reference.cases[i].name;
  }
  std::string detail = fmt::format("{} inputs, worst {}: {}{}", reference.cases.size(), where, worst.text, excuse);
  if (!reference.left_out.empty())
    detail += fmt::format("; the model before does not run at: {}", join(reference.left_out, ", "));
  proof.pass(comparison.check, std::move(detail));
}

/// The node that makes two runs of one model differ, "" if none does.
std::string random_node(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (node.op_type.starts_with("Random") || node.is("Multinomial") || node.is("Bernoulli")) return node_label(node);
  return {};
}

void check_numbers(const StepInfo& step, const Model& before, const Model& after, const Context& context,
                   Proof& proof) {
  Reference reference;
  try {
    reference = run_reference(before, context);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted || error.code() == ErrorCode::kIo) throw;
    const std::string reason = fmt::format("the model before does not run: {}", in_one_line(error.what()));
    for (const bool optimize : {true, false}) {
      const char* check = optimize ? kLoadsOn : kLoadsOff;
      try {  // raising an opset that the runtime no longer knows may have helped
        proof.pass(check, open_session(after, options_for(context, optimize))->description() + "; " + reason);
      } catch (const Error&) {
        proof.not_run(check, reason);
      }
    }
    proof.not_run(kAgree, reason);
    if (step.kind == StepKind::kRewrite) proof.not_run(kSame, reason);
    return;
  }
  ProgressTask progress(*context.progress, "proving " + step.name,
                        static_cast<std::int64_t>(reference.cases.size()) * 2, "inputs");
  std::unique_ptr<Session> fast = open_after(before, after, options_for(context, true), kLoadsOn, proof);
  if (!fast) return;
  const auto outputs = run_all(*fast, reference, after, kLoadsOn, proof, progress);
  fast.reset();  // one session at a time: each holds its own repacked weights
  const std::string random = random_node(before.graph);
  const std::unique_ptr<Session> plain = open_after(before, after, options_for(context, false), kLoadsOff, proof);
  if (plain) {
    const auto plain_outputs = run_all(*plain, reference, after, kLoadsOff, proof, progress);
    if (random.empty())
      compare_all(before, reference, context, {kAgree, plain_outputs, outputs, tolerance_for(after)}, proof);
    else
      proof.not_run(kAgree, random + " draws random numbers");
  }
  if (step.kind != StepKind::kRewrite) return;
  if (random.empty())
    compare_all(before, reference, context, {kSame, reference.outputs, outputs, tolerance_for(before)}, proof);
  else
    proof.not_run(kSame, random + " draws random numbers");
}

}  // namespace

CheckedResult run_step(const StepInfo& step, const Model& model, const StepOptions& options, Context& context) {
  const auto start = std::chrono::steady_clock::now();
  CheckedResult checked;
  checked.result = run_guarded(step, model, options, context);
  checked.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Model& after = checked.result.model;
  checked.checks = checked.result.checks;
  Proof proof(step.name, checked.checks);
  check_structure(model, after, proof);
  if (const auto fault = interface_fault(model, after, step.kind == StepKind::kRewrite))
    proof.broken(kInterface, *fault);
  proof.pass(kInterface, fmt::format("{} inputs, {} outputs", after.graph.inputs.size(), after.graph.outputs.size()));
  check_numbers(step, model, after, context, proof);
  return checked;
}

}  // namespace pare
