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
  EXPECT_EQ(fold_parameters(conv(64, 64, {3, 3}), kChannel).break_even(), 58);  // 57.6
  EXPECT_EQ(fold_parameters(conv(32, 3, {3, 3}), kChannel).break_even(), 15);   // 14.6
  EXPECT_EQ(fold_parameters(conv(256, 256, {1, 1}), kChannel).break_even(), 128);
  EXPECT_EQ(fold_parameters(conv(64, 64, {3, 3}), kVertical).break_even(), 96);
  EXPECT_EQ(fold_parameters(conv(32, 3, {3, 3}), kHorizontal).break_even(), 9);  // 8.2
}

TEST(Fold, StridesLowerTheBreakEvenOfMacs) {
  using enum FactorKind;
  const LinearLayer layer = conv(64, 64, {3, 3});
  const Shape input = {1, 64, 16, 16}, output = {1, 64, 8, 8};
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).whole, 64.0 * 64 * 9 * 64);
  // The first factor makes 8 x 16 positions, the second one 8 x 8.
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).per_rank, 128.0 * 64 * 3 + 64.0 * 64 * 3);
  EXPECT_EQ(fold_macs(layer, kVertical, input, output).break_even(), 64);
  EXPECT_EQ(fold_macs(layer, kPoint, input, output).per_rank, 256.0 * 64 + 64.0 * 64 * 9);
}

TEST(Fold, OrdersAreOneToOne) {
  const LinearLayer layer = conv(4, 5, {3, 2});
  for (const FactorKind kind :
       {FactorKind::kVertical, FactorKind::kHorizontal, FactorKind::kChannel, FactorKind::kPoint}) {
    Fold fold = make_fold(layer, kind);
    EXPECT_EQ(fold.taps * fold.columns, layer.columns());
    std::sort(fold.order.begin(), fold.order.end());
    for (std::size_t i = 0; i < fold.order.size(); ++i) EXPECT_EQ(fold.order[i], static_cast<std::int64_t>(i));
  }
}

}  // namespace
}  // namespace pare::testing
