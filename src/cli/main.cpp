// The command `pare`: finds the verb, runs it, turns errors into messages and exit codes.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/words.h"
#include "pare/error.h"
#include "pare/version.h"

namespace pare {
namespace {

constexpr const char* kShortHelp =
    "pare makes trained CNNs smaller and measurably faster: ONNX in, ONNX out, with proof.\n"
    "\n"
    "  pare compress model.onnx --data images/ --max-drop 1% -o small.onnx   the main job\n"
    "  pare inspect  model.onnx                                             what is in it\n"
    "  pare eval     model.onnx --data images/                              how good it is\n"
    "  pare bench    model.onnx small.onnx                                  which is faster\n"
    "\n"
    "  pare --help lists all verbs, pare VERB --help the options of one.\n";

std::vector<std::unique_ptr<Verb>> all_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
#define PARE_VERB(name) verbs.push_back(make_##name());
#include "cli/verbs.def"
#undef PARE_VERB
  for (auto& verb : make_step_verbs()) verbs.push_back(std::move(verb));
  return verbs;
}

void complain(const std::string& message) { std::fprintf(stderr, "error: %s\n", message.c_str()); }

/// What CLI11 could not place, with the nearest words that it knows.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error, int count, char** words) {
  const auto used = app.get_subcommands();
  std::vector<std::string> known;
  if (used.empty()) {
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
      known.push_back(verb->get_name());
    const std::string word = count > 1 ? words[1] : "";
    if (!word.empty() && word[0] != '-')
      return "there is no verb '" + word + "'" + nearest_hint(word, known) + "\n  list them: pare --help";
    return std::string(error.what()) + "\n  list of verbs: pare --help";
  }
  const CLI::App* verb = used.front();
  for (const CLI::Option* option : verb->get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  std::string hint;
  const std::vector<std::string> extra = verb->remaining();
  for (const std::string& word : extra)
    if (word.size() > 2 && word[0] == '-') hint += nearest_hint(word.substr(0, word.find('=')), known);
  return "pare " + verb->get_name() + ": " + std::string(error.what()) + hint + "\n  options: pare " +
         verb->get_name() + " --help";
}

int exit_code(const Error& error) { return error.code() == ErrorCode::kInvalidArgument ? kWrongUsage : kFailed; }

int run(int count, char** words) {
  if (count <= 1) {
    std::fputs(kShortHelp, stdout);
    return kDone;
  }
  CLI::App app("Makes trained CNNs smaller and measurably faster: ONNX in, ONNX out, with proof.", "pare");
  app.set_version_flag("--version", std::string("pare ") + version());
  app.require_subcommand(1);
  app.footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but the goal was not met.");
  const auto verbs = all_verbs();
  std::map<const CLI::App*, Verb*> by_app;
  for (const auto& verb : verbs) {
    CLI::App* sub = app.add_subcommand(verb->name(), verb->summary());
    sub->description(verb->summary() + "\n\nExample:\n  " + verb->example());
    verb->declare(*sub);
    declare_output(*sub, verb->output_options);
    by_app[sub] = verb.get();
  }
  try {
    app.parse(count, words);
  } catch (const CLI::CallForHelp&) {
    const auto used = app.get_subcommands();
    std::fputs((used.empty() ? &app : used.front())->help().c_str(), stdout);
    return kDone;
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    complain(usage_message(app, error, count, words));
    return kWrongUsage;
  }
  Verb& verb = *by_app.at(app.get_subcommands().front());
  check_outputs(*app.get_subcommands().front());
  catch_interrupts();
  Shell shell(verb.output_options);
  return verb.run(shell);
}

}  // namespace
}  // namespace pare

int main(int count, char** words) {
  // torch's idle threads sleep: spinning takes the core from what they wait for.
  setenv("OMP_WAIT_POLICY", "passive", 0);
  try {
    return pare::run(count, words);
  } catch (const pare::Error& error) {
    if (error.code() == pare::ErrorCode::kInterrupted) {
      std::fprintf(stderr, "interrupted: no result was written\n");
      return pare::kFailed;
    }
    const bool internal = error.code() == pare::ErrorCode::kInternal;
    pare::complain(
        std::string(error.what()) +
        (internal ? "\n  this is a fault of pare itself: please report it with the command and, if you can, the model"
                  : ""));
    return pare::exit_code(error);
  } catch (const std::bad_alloc&) {
    pare::complain("out of memory\n  remedy: a smaller batch size or fewer samples");
    return pare::kFailed;
  } catch (const std::exception& error) {
    pare::complain(std::string("unexpected: ") + error.what() +
                   "\n  this is a fault of pare itself: please report it with the command and, if you can, the model");
    return pare::kFailed;
  }
}
