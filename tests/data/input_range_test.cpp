#include <cmath>

#include "data/samples.h"

namespace pare::testing {
namespace {

TEST(MeasureRange, GivesMinimumMaximumMeanAndDeviation) {
  const TempDir folder;
  write_file(folder / "x.npy", npy_file<float>("<f4", "(3, 2)", {1, 2, 3, 4, 5, 9}));
  const InputRange range = measure_range(*open_dataset(folder / "x.npy"), "x");
  EXPECT_EQ(range.minimum, 1);
  EXPECT_EQ(range.maximum, 9);
  EXPECT_EQ(range.count, 6);
  EXPECT_NEAR(range.mean, 4, 1e-12);
  EXPECT_NEAR(range.std_dev, std::sqrt(40.0 / 6), 1e-12);
}

TEST(MeasureRange, NamesUnknownInputsAndNan) {
  const TempDir folder;
  write_file(folder / "x.npy", npy_file<float>("<f4", "(1, 2)", {1, NAN}));
  const auto data = open_dataset(folder / "x.npy");
  expect_error([&] { (void)measure_range(*data, "y"); }, ErrorCode::kInvalidArgument, {"no input 'y'", "known: x"});
  expect_error([&] { (void)measure_range(*data, "x"); }, ErrorCode::kNumeric, {"'x' of sample 0", "nodata"});
}

TEST(RangeJson, WrittenAndReadAgainIsTheSame) {
  const InputRange range{.minimum = -2.117904, .maximum = 2.64, .mean = 0.1, .std_dev = 1.0 / 3, .count = 12345678901};
  const InputRange read = parse_range(range_to_json(range));
  EXPECT_EQ(read.minimum, range.minimum);
  EXPECT_EQ(read.maximum, range.maximum);
  EXPECT_EQ(read.mean, range.mean);
  EXPECT_EQ(read.std_dev, range.std_dev);
  EXPECT_EQ(read.count, range.count);
  for (const char* text : {"", "{}", "[1]", R"({"minimum": "a", "maximum": 1, "mean": 1, "std": 1, "count": 1})"})
    expect_error([&] { (void)parse_range(text); }, ErrorCode::kMalformedModel, {"pare.input_range"});
}

TEST(RangeWarning, IsSilentForTheSameKindOfData) {
  const InputRange expected{.minimum = 0, .maximum = 1, .mean = 0.4, .std_dev = 0.25, .count = 1000};
  EXPECT_EQ(range_warning(expected, expected), "");
  EXPECT_EQ(range_warning(expected, {.minimum = 0.1, .maximum = 1.2, .mean = 0.5, .std_dev = 0.2, .count = 10}), "");
  EXPECT_EQ(range_warning(expected, {}), "");
  const InputRange constant{.minimum = 3, .maximum = 3, .mean = 3, .std_dev = 0, .count = 10};
  EXPECT_EQ(range_warning(constant, constant), "");
}

TEST(RangeWarning, SpeaksWhenScalingWasForgottenOrDoneTwice) {
  const InputRange expected{.minimum = 0, .maximum = 1, .mean = 0.4, .std_dev = 0.25, .count = 1000};
  EXPECT_THAT(range_warning(expected, {.minimum = 0, .maximum = 255, .mean = 102, .std_dev = 64, .count = 10}),
              ::testing::AllOf(::testing::HasSubstr("far outside"), ::testing::HasSubstr("0 to 255")));
  EXPECT_THAT(
      range_warning(expected, {.minimum = 0, .maximum = 1.0 / 255, .mean = 0.4 / 255, .std_dev = 0.001, .count = 10}),
      ::testing::HasSubstr("smaller spread"));
  const InputRange narrow{.minimum = -10, .maximum = 10, .mean = 0, .std_dev = 1, .count = 1000};
  EXPECT_THAT(range_warning(narrow, {.minimum = 2, .maximum = 8, .mean = 5, .std_dev = 1, .count = 10}),
              ::testing::HasSubstr("another mean"));
}

}  // namespace
}  // namespace pare::testing
