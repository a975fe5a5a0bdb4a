#include "core/duration.h"

#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Duration, IsReadInSecondsMinutesAndHours) {
  EXPECT_EQ(parse_duration("90", "--time"), 90);
  EXPECT_EQ(parse_duration("90s", "--time"), 90);
  EXPECT_EQ(parse_duration("1.5 m", "--time"), 90);
  EXPECT_EQ(parse_duration("2h", "--time"), 7200);
}

TEST(Duration, AnythingElseIsRefusedWithAnExample) {
  for (const char* text : {"", "s", "-3", "0", "10 days", "1e999", "nan"})
    expect_error([&] { (void)parse_duration(text, "--time"); }, ErrorCode::kInvalidArgument, {"--time", "example"});
}

}  // namespace
}  // namespace pare::testing
