#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

using Long = std::int64_t;

CaseInput longs(std::string name, const std::vector<Long>& values) {
  return {std::move(name), Tensor::of({static_cast<Long>(values.size())}, values)};
}
CaseInput whole(std::string name, Long value) { return {std::move(name), Tensor::scalar(value)}; }

TEST(LowerGeneration, ShapesAndSizes) {
  const CaseInput x = some("x", {2, 3, 4, 5});
  check_lowerings({{"Shape(x)", {x}, 17, {"int64[] y"}},
                   {"Shape<start = 1>(x)", {x}, 17, {"int64[] y"}},
                   {"Shape<start = -3, end = -1>(x)", {x}, 17, {"int64[] y"}},
                   {"Size(x)", {x}, 17, {"int64[] y"}}});
}

TEST(LowerGeneration, ConstantsAndRanges) {
  const CaseInput shape = longs("s", {2, 3});
  check_lowerings({{"ConstantOfShape(s)", {shape}},
                   {"ConstantOfShape<value = float[1] {1.5}>(s)", {shape}},
                   {"ConstantOfShape<value = int64[1] {-1}>(s)", {shape}, 17, {"int64[] y"}},
                   {"ConstantOfShape<value = int64[1] {7}>(s)", {longs("s", {0})}, 17, {"int64[] y"}},
                   {"Range(a, b, c)", {whole("a", 1), whole("b", 10), whole("c", 3)}, 17, {"int64[] y"}},
                   {"Range(a, b, c)", {whole("a", 5), whole("b", 0), whole("c", -2)}, 17, {"int64[] y"}},
                   {"Range(a, b, c)", {scalar("a", 0), scalar("b", 1), scalar("c", 0.25F)}}});
}

TEST(LowerGeneration, OneHotAndNonZero) {
  const CaseInput places = longs("i", {0, 2, -1}), depth = whole("d", 4), values = floats("v", {-1, 2});
  check_lowerings({{"OneHot(i, d, v)", {places, depth, values}},
                   {"OneHot<axis = 0>(i, d, v)", {places, depth, values}},
                   {"NonZero(x)", {{"x", Tensor::of<float>({2, 2}, {0, 1, 2, 0})}}, 17, {"int64[] y"}}});
}

TEST(LowerGeneration, CastsKeepTheGradientAndBfloat16) {
  const CaseInput x = some("x", {2, 3}, -3, 3);
  check_lowerings({{.node = "Cast<to = 1>(x)", .inputs = {x}, .gradient = false},  // finite differences are in double
                   {.node = "Cast<to = 11>(x)", .inputs = {x}, .outputs = {"double[] y"}, .bfloat16 = false},
                   {.node = "Cast<to = 7>(x)", .inputs = {x}, .outputs = {"int64[] y"}, .bfloat16 = false},
                   {.node = "Cast<to = 9>(x)", .inputs = {x}, .outputs = {"bool[] y"}},
                   {.node = "Cast<to = 1>(x)", .inputs = {longs("x", {1, -2})}},
                   {.node = "CastLike(x, z)", .inputs = {x, some("z", {1})}, .gradient = false}});
  EXPECT_THAT(refusal_of({"Cast<to = 8>(x)", {x}, 17, {"string[] y"}}), ::testing::HasSubstr("string"));
}

}  // namespace
}  // namespace pare::testing
