#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Mlp, CountsAsByHand) { EXPECT_EQ(parameters_of("mlp"), 64 * 256 + 256 + 256 * 10 + 10); }

TEST(Mlp, IsSound) {
  expect_sound("mlp", {}, {10}, 1);
  expect_sound("mlp", {{"widths", "64-64-10"}}, {10}, 1);
  expect_sound("mlp", {{"widths", "192-64-32-4"}, {"size", "8"}, {"bands", "3"}}, {4}, 2);
}

TEST(Mlp, KeepsItsScaleHoweverDeep) {
  expect_runs(new_model("mlp", {{"widths", "64-128-128-128-128-128-128-128-128-10"}}), {10});
}

TEST(Mlp, SaysWhatIsNoWidth) {
  expect_error([] { (void)new_model("mlp", {{"widths", "64-b-10"}}); }, ErrorCode::kInvalidArgument,
               {"'b'", "64-256-10"});
  expect_error([] { (void)new_model("mlp", {{"widths", "64"}}); }, ErrorCode::kInvalidArgument, {"one number"});
  expect_error([] { (void)new_model("mlp", {{"widths", "64--10"}}); }, ErrorCode::kInvalidArgument, {"''"});
  expect_error([] { (void)new_model("mlp", {{"size", "28"}}); }, ErrorCode::kInvalidArgument, {"784", "64"});
}

}  // namespace
}  // namespace pare::testing
