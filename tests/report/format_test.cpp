#include "report/format.h"

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Format, BytesAreDecimalWithThreeDigits) {
  EXPECT_EQ(format_bytes(312), "312 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 KB");
  EXPECT_EQ(format_bytes(3438392), "3.44 MB");
  EXPECT_EQ(format_bytes(14738718), "14.7 MB");
  EXPECT_EQ(format_bytes(999'600'000), "1.00 GB");
}

TEST(Format, CountsHaveNoTrailingBlank) {
  EXPECT_EQ(format_count(812), "812");
  EXPECT_EQ(format_count(125'500'000), "125.5 M");
  EXPECT_EQ(format_count(4'090'000'000), "4.09 G");
}

TEST(Format, TimesChooseTheirUnit) {
  EXPECT_EQ(format_ms(0.0123), "12.3 us");
  EXPECT_EQ(format_ms(0.85), "0.850 ms");
  EXPECT_EQ(format_ms(1.954), "1.95 ms");
  EXPECT_EQ(format_ms(12.34), "12.3 ms");
  EXPECT_EQ(format_ms(123.4), "123 ms");
  EXPECT_EQ(format_seconds(0.84), "0.8 s");
  EXPECT_EQ(format_seconds(12.4), "12 s");
  EXPECT_EQ(format_seconds(185), "3:05 min");
}

TEST(Format, DifferencesAreInPointsAndNeverMinusZero) {
  EXPECT_EQ(format_difference(Metric::kTop1, -0.0004), "-0.04 points");
  EXPECT_EQ(format_difference(Metric::kTop1, 0.012), "+1.20 points");
  EXPECT_EQ(format_difference(Metric::kTop1, -0.00001), "0.00 points");
}

TEST(Format, RatiosSayWhichWay) {
  EXPECT_EQ(format_speed(2.19), "2.19x faster");
  EXPECT_EQ(format_speed(0.5), "2.00x slower");
  EXPECT_EQ(format_speed(1.001), "1.00x as fast");
  EXPECT_EQ(format_smaller(3440, 990), "3.5x smaller");
  EXPECT_EQ(format_smaller(100, 120), "1.20x larger");
  EXPECT_EQ(format_smaller(100, 100), "same size");
}

}  // namespace
}  // namespace pare::testing
