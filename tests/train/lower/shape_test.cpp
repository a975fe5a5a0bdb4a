#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

const CaseInput kX = some("x", {2, 3, 4, 5});

TEST(LowerShape, FlattenTakesEveryAxis) {
  check_lowerings({{"Flatten(x)", {kX}}, {"Flatten<axis = 0>(x)", {kX}}, {"Flatten<axis = -1>(x)", {kX}}});
}

TEST(LowerShape, ReshapeReadsZeroAndMinusOne) {
  check_lowerings({{"Reshape(x, s)", {kX, ints("s", {6, 20})}},
                   {"Reshape(x, s)", {kX, ints("s", {0, -1})}},
                   {"Reshape(x, s)", {kX, ints("s", {2, 0, 2, 2, -1})}},
                   {"Reshape<allowzero = 1>(x, s)", {some("x", {0, 3}), ints("s", {3, 0})}},
                   {"Reshape(x, s)", {kX, ints("s", {0, 0, -1})}, 5}});
  const std::vector<float> old = forward_of({"Reshape<shape = [0, -1]>(x)", {kX}, 4});
  EXPECT_EQ(old, forward_of({"Reshape(x, s)", {kX, ints("s", {0, -1})}}));
}

TEST(LowerShape, TransposeReversesUnlessTold) {
  check_lowerings({{"Transpose(x)", {kX}}, {"Transpose<perm = [0, 2, 3, 1]>(x)", {kX}}});
}

TEST(LowerShape, AxesOfOneComeAndGo) {
  const CaseInput thin = some("x", {1, 3, 1, 5});
  check_lowerings({{"Squeeze(x)", {thin}},
                   {"Squeeze(x, a)", {thin, ints("a", {-2})}},
                   {"Squeeze<axes = [0, 2]>(x)", {thin}, 11},
                   {"Unsqueeze(x, a)", {kX, ints("a", {0, -1})}},
                   {"Unsqueeze(x, a)", {kX, ints("a", {3, 1})}},
                   {"Unsqueeze<axes = [0, 4]>(x)", {kX}, 11}});
}

TEST(LowerShape, ExpandAndTileRepeat) {
  const CaseInput thin = some("x", {3, 1, 5});
  check_lowerings({{"Expand(x, s)", {thin, ints("s", {2, 3, 4, 5})}},
                   {"Expand(x, s)", {thin, ints("s", {4, 1})}},
                   {"Expand(x, s)", {thin, ints("s", {1, 1, 1, 1})}},
                   {"Tile(x, s)", {thin, ints("s", {1, 2, 3})}}});
}

TEST(LowerShape, BlocksBecomeChannelsAndBack) {
  const CaseInput deep = some("x", {2, 8, 3, 2}), wide = some("x", {2, 2, 4, 6});
  check_lowerings({{"DepthToSpace<blocksize = 2>(x)", {deep}},
                   {"DepthToSpace<blocksize = 2, mode = \"CRD\">(x)", {deep}},
                   {"SpaceToDepth<blocksize = 2>(x)", {wide}}});
}

TEST(LowerShape, IdentityAndDropoutHandOn) {
  check_lowerings({{"Identity(x)", {kX}},
                   {"Dropout(x)", {kX}},
                   {"Dropout<ratio = 0.5>(x)", {kX}, 9},
                   {"Dropout(x, r)", {kX, scalar("r", 0.5F)}}});
}

}  // namespace
}  // namespace pare::testing
