#include <fmt/format.h>

#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

LowerCase scaled(const std::string& attributes, const CaseInput& x, const std::vector<float>& scales, int opset = 17) {
  return {fmt::format("Resize<{}>(x, , s)", attributes), {x, floats("s", scales)}, opset};
}

LowerCase sized(const std::string& attributes, const CaseInput& x, const std::vector<std::int64_t>& sizes,
                int opset = 17) {
  return {fmt::format("Resize<{}>(x, , , s)", attributes), {x, ints("s", sizes)}, opset};
}

const std::vector<std::string> kPlaces = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"};

TEST(LowerResize, NearestPicksTheSamePixels) {
  const CaseInput x = some("x", {1, 2, 5, 6});
  std::vector<std::string> places = kPlaces;
  places.emplace_back("tf_half_pixel_for_nn");
  for (const std::string& place : places)
    for (const std::string rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
      const std::string how = fmt::format(
          "mode = \"nearest\", coordinate_transformation_mode = \"{}\", "
          "nearest_mode = \"{}\"",
          place, rounding);
      for (const std::vector<float>& scales : std::vector<std::vector<float>>{
               {1, 1, 2, 2}, {1, 1, 3, 2}, {1, 1, 0.5, 0.6}, {1, 1, 1.7, 0.9}, {1, 1, 2.5, 1.3}})
        check_lowering(scaled(how, x, scales));
      for (const std::vector<std::int64_t>& sizes :
           std::vector<std::vector<std::int64_t>>{{1, 2, 10, 12}, {1, 2, 7, 4}, {1, 2, 1, 1}})
        check_lowering(sized(how, x, sizes));
    }
}

TEST(LowerResize, LinearAndCubicMixTheSamePixels) {
  const CaseInput x = some("x", {1, 2, 5, 6});
  for (const std::string mode : {"linear", "cubic"})
    for (const std::string& place : kPlaces) {
      const std::string how = fmt::format("mode = \"{}\", coordinate_transformation_mode = \"{}\"", mode, place);
      for (const std::vector<float>& scales : std::vector<std::vector<float>>{
               {1, 1, 2, 2}, {1, 1, 3, 2}, {1, 1, 0.5, 0.6}, {1, 1, 1.7, 0.9}, {1, 1, 2.5, 1.3}})
        check_lowering(scaled(how, x, scales));
      for (const std::vector<std::int64_t>& sizes :
           std::vector<std::vector<std::int64_t>>{{1, 2, 10, 12}, {1, 2, 7, 4}, {1, 2, 1, 3}})
        check_lowering(sized(how, x, sizes));
    }
}

TEST(LowerResize, OptionsOfNewOperatorSets) {
  const CaseInput x = some("x", {1, 2, 5, 6});
  check_lowerings(
      {scaled("mode = \"cubic\", cubic_coeff_a = -0.5", x, {1, 1, 1.5, 1.2}),
       scaled("mode = \"cubic\", exclude_outside = 1", x, {1, 1, 1.5, 1.2}),
       scaled("mode = \"linear\", coordinate_transformation_mode = \"half_pixel_symmetric\"", x, {1, 1, 1.5, 1.3}, 19),
       scaled("mode = \"linear\", axes = [2, 3]", x, {1.5, 1.2}, 18),
       sized("mode = \"linear\", axes = [3]", x, {9}, 18),
       sized("mode = \"linear\", axes = [2, 3], keep_aspect_ratio_policy = \"not_larger\"", x, {11, 8}, 18),
       sized("axes = [2, 3], keep_aspect_ratio_policy = \"not_smaller\"", x, {11, 8}, 18),
       scaled("mode = \"linear\", antialias = 1", x, {1, 1, 0.6, 0.5}, 18),
       scaled("mode = \"cubic\", antialias = 1", x, {1, 1, 0.6, 0.5}, 18)});
  EXPECT_THAT(refusal_of(scaled("coordinate_transformation_mode = \"tf_crop_and_resize\"", x, {1, 1, 2, 2})),
              ::testing::HasSubstr("cropping"));
}

TEST(LowerResize, OldOperatorSetsStretchFromTheCorner) {
  const CaseInput x = some("x", {1, 2, 4, 6});
  for (const std::string mode : {"nearest", "linear"}) {
    const std::string attribute = "<mode = \"" + mode + "\">";
    for (const std::vector<float>& scales : std::vector<std::vector<float>>{{1, 1, 2, 2}, {1, 1, 1.5, 2.5}}) {
      check_lowering({"Upsample" + attribute + "(x, s)", {x, floats("s", scales)}, 9});
      check_lowering({"Resize" + attribute + "(x, s)", {x, floats("s", scales)}, 10});
    }
    check_lowering({"Resize" + attribute + "(x, s)", {x, floats("s", {1, 1, 0.5, 0.7F})}, 10});
  }
  check_lowering({"Upsample<mode = \"nearest\", scales = [1.0, 1.0, 2.0, 3.0]>(x)", {x}, 8});
}

}  // namespace
}  // namespace pare::testing
