#include "pare/step.h"

#include <set>

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Recipe, IsReadAndWrittenBack) {
  const auto recipe = parse_recipe(" rewrite ;quantize int8  calibrate=minmax exclude=\"a b,c\" ");
  ASSERT_EQ(recipe.size(), 2U);
  EXPECT_EQ(recipe[0].name, "rewrite");
  EXPECT_EQ(recipe[1].options.at("calibrate"), "minmax");
  EXPECT_EQ(recipe[1].options.at("exclude"), "a b,c");
  const std::string text = recipe_to_text(recipe);
  EXPECT_EQ(recipe_to_text(parse_recipe(text)), text);
  EXPECT_EQ(text.substr(0, 22), "rewrite; quantize int8");
}

TEST(Recipe, FlagsAreBareWords) {
  const auto recipe = parse_recipe("convert fp16 keep-io");
  EXPECT_EQ(recipe[0].options.at("keep-io"), "on");
}

TEST(Recipe, UnknownStepIsNamedWithTheNearest) {
  expect_error([] { static_cast<void>(parse_recipe("quantise int8")); }, ErrorCode::kInvalidArgument,
               {"quantise", "nearest: 'quantize'"});
}

TEST(Recipe, UnknownOptionAndValueAreNamed) {
  expect_error([] { static_cast<void>(parse_recipe("quantize int8 calibrat=minmax")); }, ErrorCode::kInvalidArgument,
               {"calibrat", "'calibrate'"});
  expect_error([] { static_cast<void>(parse_recipe("quantize int8 calibrate=nonsense")); }, ErrorCode::kInvalidArgument,
               {"nonsense"});
}

TEST(Recipe, EmptyAndUnclosedAreRefused) {
  expect_error([] { static_cast<void>(parse_recipe(" ; ")); }, ErrorCode::kInvalidArgument, {"empty"});
  expect_error([] { static_cast<void>(parse_recipe("quantize exclude=\"a")); }, ErrorCode::kInvalidArgument,
               {"not closed"});
  expect_error([] { static_cast<void>(parse_recipe("quantize int8 int8")); }, ErrorCode::kInvalidArgument, {"twice"});
}

TEST(Registry, NamesAreUniqueAndEveryStepSaysWhatItDoes) {
  std::set<std::string> names;
  for (const StepInfo& step : all_steps()) {
    EXPECT_TRUE(names.insert(step.name).second) << step.name;
    EXPECT_FALSE(step.summary.empty()) << step.name;
    for (const OptionInfo& option : step.options) EXPECT_FALSE(option.help.empty()) << step.name << " " << option.name;
  }
  for (const char* wanted : {"rewrite", "quantize", "convert", "fold_batchnorm"})
    EXPECT_TRUE(names.contains(wanted)) << wanted;
}

}  // namespace
}  // namespace pare::testing
