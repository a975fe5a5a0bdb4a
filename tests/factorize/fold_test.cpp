#include "factorize/fold.h"

#include <algorithm>

#include "support/support.h"

namespace pare::testing {
namespace {

LinearLayer conv(std::int64_t outputs, std::int64_t inputs, Shape kernel) {
  LinearLayer layer;
  layer.convolution = true;
  layer.outputs = outputs;
  layer.inputs = inputs;
  layer.taps = element_count(kernel);
  layer.kernel = std::move(kernel);
  return layer;
}

// Pitfall F2: r* = Cin Cout k k / (Cin k k + Cout), and / (k (Cin + Cout)).
TEST(Fold, BreakEvenIsWhereParametersAreEqual) {
  using enum FactorKind;
  const auto break_even = [](const LinearLayer& layer, FactorKind kind) {
    return fold_parameters(layer, kind).break_even(make_fold(layer, kind));
  };
  EXPECT_EQ(break_even(conv(64, 64, {3, 3}), kChannel), 58);  // 57.6
  EXPECT_EQ(break_even(conv(32, 3, {3, 3}), kChannel), 15);   // 14.6
  EXPECT_EQ(break_even(conv(256, 256, {1, 1}), kChannel), 128);
  EXPECT_EQ(break_even(conv(64, 64, {3, 3}), kVertical), 96);
  EXPECT_EQ(break_even(conv(32, 3, {3, 3}), kHorizontal), 9);  // 8.2
  // 9 r r + 128 r = 36864 at 57.3; with half as many outputs the outer rank is half of the rank.
  EXPECT_EQ(break_even(conv(64, 64, {3, 3}), kTucker), 58);
  EXPECT_EQ(make_fold(conv(32, 64, {3, 3}), kTucker).outer_rank(20), 10);
  EXPECT_EQ(fold_parameters(conv(32, 64, {3, 3}), kTucker).at(20, 10), 20 * 64 + 9 * 20 * 10 + 10 * 32);
}

TEST(Fold, StridesLowerTheBreakEvenOfMacs) {
  using enum FactorKind;
  const LinearLayer layer = conv(64, 64, {3, 3});
  const Shape input = {1, 64, 16, 16}, output = {1, 64, 8, 8};
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).whole, 64.0 * 64 * 9 * 64);
  // The first factor makes 8 x 16 positions, the second one 8 x 8.
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).per_rank, 128.0 * 64 * 3 + 64.0 * 64 * 3);
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).break_even(make_fold(layer, kVertical)), 64);
  EXPECT_EQ(fold_macs(layer, kPoint, input, output).per_rank, 256.0 * 64 + 64.0 * 64 * 9);
  EXPECT_EQ(fold_macs(layer, kTucker, input, output).at(10, 5), 256.0 * 64 * 10 + 64.0 * 9 * 10 * 5 + 64.0 * 64 * 5);
}

TEST(Fold, OrdersAreOneToOne) {
  const LinearLayer layer = conv(4, 5, {3, 2});
  for (const FactorKind kind : {FactorKind::kVertical, FactorKind::kHorizontal, FactorKind::kChannel,
                                FactorKind::kPoint, FactorKind::kTucker}) {
    Fold fold = make_fold(layer, kind);
    EXPECT_EQ(fold.taps * fold.columns, layer.columns());
    std::sort(fold.order.begin(), fold.order.end());
    for (std::size_t i = 0; i < fold.order.size(); ++i) EXPECT_EQ(fold.order[i], static_cast<std::int64_t>(i));
  }
}

}  // namespace
}  // namespace pare::testing
