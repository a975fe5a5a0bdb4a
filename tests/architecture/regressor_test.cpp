#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Regressor, CountsAsByHand) {
  EXPECT_EQ(parameters_of("regressor", {{"channels", "8"}, {"depth", "2"}, {"bands", "5"}}),
            5 * 8 * 9 + 16 + 4 * (8 * 8 * 9 + 16) + 9);
}

TEST(Regressor, PutsOutAMapOfOneValue) {
  expect_sound("regressor", {{"channels", "16"}, {"size", "32"}, {"bands", "5"}}, {1, 32, 32}, 4);
  expect_sound("regressor", {{"channels", "8"}, {"depth", "0"}, {"size", "9,7"}, {"classes", "2"}}, {2, 9, 7}, 1);
}

TEST(Regressor, KeepsItsScaleHoweverDeep) {
  expect_runs(new_model("regressor", {{"depth", "20"}, {"channels", "16"}, {"size", "24"}}), {1, 24, 24});
}

TEST(Regressor, TakesTilesOfAnySize) {
  const Model model = new_model("regressor", {{"size", "any"}, {"channels", "8"}});
  expect_runs(model, {1, 13, 13}, 13);
  expect_runs(model, {1, 50, 50}, 50);
}

}  // namespace
}  // namespace pare::testing
