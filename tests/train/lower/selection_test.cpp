#include <limits>

#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

using Long = std::int64_t;
const CaseInput kX = some("x", {2, 3, 4, 5});

CaseInput places(std::string name, Shape shape, const std::vector<Long>& values) {
  return {std::move(name), Tensor::of(std::move(shape), values)};
}

TEST(LowerSelection, ConcatJoins) {
  check_lowerings({{"Concat<axis = 1>(x, z)", {kX, some("z", {2, 2, 4, 5})}},
                   {"Concat<axis = -1>(x, z, x)", {kX, some("z", {2, 3, 4, 1})}},
                   {"Concat<axis = 0>(x, z)", {places("x", {1}, {3}), places("z", {2}, {-1, 4})}, 17, {"int64[] y"}}});
}

TEST(LowerSelection, SplitCuts) {
  const std::vector<std::string> two = {"float[] y", "float[] z"};
  check_lowerings({{"Split<axis = 2>(x)", {kX}, 17, two},
                   {"Split<axis = 1>(x, s)", {kX, ints("s", {1, 2})}, 17, two},
                   {"Split<axis = -1, split = [4, 1]>(x)", {kX}, 11, two},
                   {"Split<axis = 3, num_outputs = 2>(x)", {kX}, 18, two}});
}

TEST(LowerSelection, SliceTakesAnyLimits) {
  const Long far = std::numeric_limits<Long>::max(), low = std::numeric_limits<Long>::min();
  const auto slice = [](const std::vector<Long>& begins, const std::vector<Long>& ends, const std::vector<Long>& axes,
                        const std::vector<Long>& steps) {
    return LowerCase{"Slice(x, b, e, a, s)",
                     {kX, ints("b", begins), ints("e", ends), ints("a", axes), ints("s", steps)}};
  };
  check_lowerings({slice({1, 0}, {3, 2}, {2, 3}, {1, 1}),
                   slice({-3}, {-1}, {-1}, {1}),
                   slice({0}, {far}, {1}, {2}),
                   slice({1}, {1000}, {3}, {3}),
                   slice({-1}, {low}, {3}, {-1}),
                   slice({far}, {-4}, {3}, {-1}),
                   slice({3, -1}, {0, -6}, {2, 3}, {-2, -2}),
                   slice({4}, {2}, {3}, {1}),
                   slice({1}, {3}, {3}, {-1}),
                   {"Slice(x, b, e)", {kX, ints("b", {0, 1}), ints("e", {1, 2})}},
                   {"Slice(x, b, e, a)", {kX, ints("b", {1}), ints("e", {-1}), ints("a", {2})}},
                   {"Slice<starts = [1], ends = [3], axes = [2]>(x)", {kX}, 9},
                   {"Slice<starts = [0, 1], ends = [1, 9]>(x)", {kX}, 9}});
}

TEST(LowerSelection, GathersPick) {
  check_lowerings(
      {{"Gather<axis = 1>(x, i)", {kX, ints("i", {2, 0, -1})}},
       {"Gather(x, i)", {kX, given("i", Tensor::scalar<Long>(1))}},
       {"Gather<axis = -1>(x, i)", {kX, given("i", Tensor::scalar<Long>(-2))}},
       {"Gather<axis = 2>(x, i)", {kX, places("i", {2, 2}, {0, 3, -4, 1})}},
       {"Gather<axis = 1>(x, i)", {kX, {"i", Tensor::of<std::int32_t>({2}, {1, 1})}}},
       {"GatherElements<axis = 1>(x, i)", {some("x", {2, 3}), places("i", {2, 2}, {0, -1, 2, 2})}},
       {"GatherND(x, i)", {kX, places("i", {2, 2}, {0, 1, 1, -1})}},
       {"GatherND<batch_dims = 1>(x, i)", {kX, places("i", {2, 1}, {2, 0})}},
       {"GatherND<batch_dims = 1>(x, i)", {kX, places("i", {2, 3, 2}, {0, 1, 1, 1, 2, 3, 0, 0, 1, -1, 2, 2})}}});
}

TEST(LowerSelection, ScattersPlace) {
  const CaseInput x = some("x", {3, 4}), i = places("i", {2, 2}, {0, 2, -1, 1}), z = some("z", {2, 2});
  check_lowerings({{"ScatterElements<axis = 1>(x, i, z)", {x, i, z}, 16},
                   {"ScatterND(x, i, z)", {x, places("i", {2, 1}, {2, 0}), some("z", {2, 4})}, 16},
                   {"ScatterND(x, i, z)", {x, places("i", {2, 2}, {2, 3, 0, -1}), some("z", {2})}, 16}});
  EXPECT_THAT(refusal_of({"ScatterND<reduction = \"add\">(x, i, z)", {x, i, z}}), ::testing::HasSubstr("reduction"));
}

TEST(LowerSelection, PadSurroundsAndCrops) {
  const CaseInput around = ints("p", {0, 0, 1, 2, 0, 0, 3, 0}), crop = ints("p", {0, 0, -1, 2, 0, 1, 0, -2});
  check_lowerings({{"Pad(x, p)", {kX, around}},
                   {"Pad(x, p, v)", {kX, around, scalar("v", 1.5F)}},
                   {"Pad(x, p)", {kX, crop}},
                   {"Pad<mode = \"reflect\">(x, p)", {kX, around}},
                   {"Pad<mode = \"edge\">(x, p)", {kX, around}},
                   {"Pad<mode = \"wrap\">(x, p)", {kX, around}, 19},
                   {"Pad(x, p, , a)", {kX, ints("p", {1, 2, 0, 1}), ints("a", {-1, 2})}, 18},
                   {"Pad<mode = \"reflect\">(x, p, , a)", {kX, ints("p", {1, 2, 0, 1}), ints("a", {3, 2})}, 18},
                   {"Pad<pads = [0, 0, 1, 1, 0, 0, 2, 0], value = 0.5>(x)", {kX}, 10},
                   {"Pad<mode = \"reflect\", pads = [0, 0, 1, 1, 0, 0, 2, 0]>(x)", {kX}, 2}});
}

}  // namespace
}  // namespace pare::testing
