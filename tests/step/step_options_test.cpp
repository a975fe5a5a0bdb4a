#include "pare/step.h"
#include "support/support.h"

namespace pare::testing {
namespace {

const std::vector<OptionInfo>& infos() {
  static const std::vector<OptionInfo> kInfos = {
      {"calibrate", OptionInfo::Type::kWord, "minmax", {"minmax", "entropy"}, "how ranges are found"},
      {"samples", OptionInfo::Type::kInt, "512", {}, "calibration samples"},
      {"share", OptionInfo::Type::kNumber, "", {}, "share of weights"},
      {"symmetric", OptionInfo::Type::kFlag, "", {}, "symmetric ranges"},
      {"exclude", OptionInfo::Type::kWordList, "", {}, "nodes that stay float"}};
  return kInfos;
}

StepOptions options(const std::map<std::string, std::string>& values) { return StepOptions(infos(), values); }

TEST(StepOptions, GivesDefaultsWhenNothingIsSaid) {
  const StepOptions none = options({});
  EXPECT_EQ(none.word("calibrate"), "minmax");
  EXPECT_EQ(none.integer("samples"), 512);
  EXPECT_FALSE(none.flag("symmetric"));
  EXPECT_TRUE(none.words("exclude").empty());
  EXPECT_FALSE(none.given("samples"));
  EXPECT_EQ(none.text(), "");
}

TEST(StepOptions, ReadsEachType) {
  const StepOptions some = options(
      {{"calibrate", "entropy"}, {"samples", "64"}, {"share", "50%"}, {"symmetric", ""}, {"exclude", "conv1, fc"}});
  EXPECT_EQ(some.word("calibrate"), "entropy");
  EXPECT_EQ(some.integer("samples"), 64);
  EXPECT_DOUBLE_EQ(some.number("share"), 0.5);
  EXPECT_TRUE(some.flag("symmetric"));
  EXPECT_EQ(some.words("exclude"), (std::vector<std::string>{"conv1", "fc"}));
  EXPECT_TRUE(some.given("samples"));
}

TEST(StepOptions, PrintsWhatDiffersFromTheDefaults) {
  EXPECT_EQ(options({{"samples", "0512"}, {"calibrate", "minmax"}}).text(), "");
  EXPECT_EQ(options({{"calibrate", "entropy"}, {"exclude", "a,b"}, {"symmetric", "yes"}}).text(),
            "calibrate=entropy exclude=a,b symmetric=true");
  EXPECT_EQ(options({{"exclude", "a b"}}).text(), "exclude=\"a b\"");
}

TEST(StepOptions, RefusesUnknownNamesAndNamesTheNearest) {
  expect_error([] { options({{"calibrat", "minmax"}}); }, ErrorCode::kInvalidArgument,
               {"unknown option 'calibrat'", "'calibrate'"});
  expect_error([] { StepOptions({}, {{"x", "1"}}); }, ErrorCode::kInvalidArgument, {"this step has none"});
}

TEST(StepOptions, RefusesValuesOfTheWrongType) {
  expect_error([] { options({{"calibrate", "entropi"}}); }, ErrorCode::kInvalidArgument, {"not one of", "'entropy'"});
  for (const char* bad : {"", "ten", "1.5", "12 apples", "99999999999999999999"})
    expect_error([&] { options({{"samples", bad}}); }, ErrorCode::kInvalidArgument, {"whole number"});
  for (const char* bad : {"", "x", "nan", "inf", "%"})
    expect_error([&] { options({{"share", bad}}); }, ErrorCode::kInvalidArgument, {"not a number"});
  expect_error([] { options({{"symmetric", "perhaps"}}); }, ErrorCode::kInvalidArgument, {"neither true nor false"});
}

TEST(StepOptions, SaysWhenAnOptionWithoutDefaultIsMissing) {
  expect_error([] { (void)options({}).number("share"); }, ErrorCode::kInvalidArgument, {"'share' needs a number"});
  expect_error([] { (void)options({}).flag("no_such"); }, ErrorCode::kInternal, {"no_such"});
}

}  // namespace
}  // namespace pare::testing
