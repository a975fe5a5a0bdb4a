// Recipes as text, both ways, and running one.
#include <algorithm>

#include "core/fail.h"
#include "core/words.h"
#include "pare/compress.h"
#include "pare/step.h"

namespace pare {
namespace {

/// Words separated by blanks; "..." keeps blanks together.
std::vector<std::string> words_of(const std::string& text, const std::string& step_text) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, any = false;
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      if (any) words.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (quoted) fail(ErrorCode::kInvalidArgument, "recipe: a quotation mark is not closed in '{}'", step_text);
  if (any) words.push_back(std::move(word));
  return words;
}

std::string quoted(const std::string& value) {
  const bool plain = !value.empty() && value.find_first_of(" \t;\"") == std::string::npos;
  return plain ? value : "\"" + value + "\"";
}

std::vector<std::string> split_steps(std::string_view text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == ';' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// The option that a bare word is for: the first that knows the word among its choices, else a flag of that name, else
/// the first free word option.
const OptionInfo& option_for_word(const StepInfo& step, const std::string& word) {
  for (const OptionInfo& option : step.options)
    if (std::find(option.choices.begin(), option.choices.end(), word) != option.choices.end()) return option;
  std::vector<std::string> known;
  for (const OptionInfo& option : step.options) {
    if (option.type == OptionInfo::Type::kFlag && option.name == word) return option;
    known.push_back(option.name);
    known.insert(known.end(), option.choices.begin(), option.choices.end());
  }
  for (const OptionInfo& option : step.options)
    if (option.type == OptionInfo::Type::kWord && option.choices.empty()) return option;
  fail(ErrorCode::kInvalidArgument, "recipe: step '{}' does not know '{}'{}\n  options: {}", step.name, word,
       nearest_hint(word, known), join(known, ", "));
}

/// Without what belongs to one run on some machine and not to how the model was made.
std::vector<RecipeStep> to_remember(std::vector<RecipeStep> steps) {
  for (RecipeStep& step : steps)
    for (const char* name : {"checkpoint", "checkpoint-every", "resume", "workers", "local-workers", "worker-timeout"})
      step.options.erase(name);
  return steps;
}

}  // namespace

std::vector<RecipeStep> parse_recipe(std::string_view text) {
  std::vector<RecipeStep> recipe;
  for (const std::string& part : split_steps(text)) {
    const std::vector<std::string> words = words_of(part, trim(part));
    if (words.empty()) continue;
    const StepInfo& step = find_step(words[0]);
    RecipeStep parsed{step.name, {}};
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      const std::string name =
          equals == std::string::npos ? option_for_word(step, words[i]).name : words[i].substr(0, equals);
      std::string value = equals == std::string::npos ? words[i] : words[i].substr(equals + 1);
      if (equals == std::string::npos && name == words[i]) value = "on";  // a flag
      if (!parsed.options.emplace(name, value).second)
        fail(ErrorCode::kInvalidArgument, "recipe: step '{}' is given '{}' twice", step.name, name);
    }
    static_cast<void>(
        StepOptions(step.options, parsed.options));  // checks names and values now, not halfway through the recipe
    recipe.push_back(std::move(parsed));
  }
  if (recipe.empty())
    fail(ErrorCode::kInvalidArgument, "the recipe is empty\n  example: \"rewrite; quantize int8 calibrate=minmax\"");
  return recipe;
}

std::string recipe_to_text(const std::vector<RecipeStep>& recipe) {
  std::vector<std::string> steps;
  for (const RecipeStep& step : recipe) {
    std::string text = step.name;
    const StepInfo& info = find_step(step.name);
    for (const OptionInfo& option : info.options) {
      const auto given = step.options.find(option.name);
      if (given == step.options.end()) continue;
      const bool first_word =
          &option == &info.options.front() && option.type == OptionInfo::Type::kWord && !option.choices.empty();
      text += " " + (first_word ? quoted(given->second) : option.name + "=" + quoted(given->second));
    }
    steps.push_back(std::move(text));
  }
  return join(steps, "; ");
}

CheckedResult run_recipe(const Model& model, const std::string& recipe, Context& context) {
  const std::vector<RecipeStep> steps = parse_recipe(recipe);
  CheckedResult total;
  total.result.model = model;
  const std::shared_ptr<const Model> named = context.teacher;
  const auto original = std::make_shared<const Model>(model);
  bool changed = false;  // by a technique: from then on the network can learn from what it was
  for (const RecipeStep& step : steps) {
    const StepInfo& info = find_step(step.name);
    context.teacher = named || !changed ? named : original;
    CheckedResult one = run_step(info, total.result.model, StepOptions(info.options, step.options), context);
    total.result.model = std::move(one.result.model);
    total.result.changes += one.result.changes;
    changed = changed || (info.kind == StepKind::kTechnique && one.result.changes > 0);
    total.seconds += one.seconds;
    const auto append = [](auto& to, auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    append(total.result.done, one.result.done);
    append(total.result.skipped, one.result.skipped);
    append(total.result.notes, one.result.notes);
    if (!one.result.missed.empty())
      total.result.missed +=
          fmt::format("{}{}: {}", total.result.missed.empty() ? "" : "; ", step.name, one.result.missed);
    for (const auto& [key, value] : one.result.figures) total.result.figures[step.name + "." + key] = value;
    for (StepCheck& check : one.checks)
      total.checks.push_back({step.name + ": " + check.name, check.passed, check.detail});
  }
  context.teacher = named;
  const std::string* before = model.find_metadata(kRecipeKey);
  const std::string text = recipe_to_text(to_remember(steps));
  total.result.model.set_metadata(kRecipeKey, before != nullptr && !before->empty() ? *before + "; " + text : text);
  return total;
}

}  // namespace pare
