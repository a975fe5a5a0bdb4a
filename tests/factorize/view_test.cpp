#include "factorize/view.h"

#include <cmath>
#include <limits>

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// What one element's target is, `other` being added to the layer's output.
float target_of(const FitTarget& target, float dense, float other, float now, float lambda) {
  RowBlock block{.rows = 1, .patches = {}, .targets = {dense - other}, .dense = {dense}};
  std::vector<float> outputs = {now - other};
  rest_by_penalty(target, block, lambda, outputs);
  return now + outputs[0];
}

// Zhang's solution for a ReLU: z0 = min(0, y), z1 = max(0, (lambda y + r(dense)) / (lambda + 1)), the cheaper one.
TEST(View, ThePenaltyOfAReluIsSolvedAsInThePaper) {
  const FitTarget relu{.value = "v", .minus = {}, .clipped = true, .lower = 0, .upper = kInfinity};
  EXPECT_FLOAT_EQ(target_of(relu, -3, 0.5F, -1, 0.01F), -1);  // cut off in both: free
  EXPECT_FLOAT_EQ(target_of(relu, -3, 0.5F, 2, 1), 1);        // half of the way to 0
  EXPECT_FLOAT_EQ(target_of(relu, 4, 0, 2, 1), 3);
  EXPECT_FLOAT_EQ(target_of(relu, 4, 0, -1, 0.01F), (0.01F * -1 + 4) / 1.01F);
  EXPECT_FLOAT_EQ(target_of(relu, 0.1F, 0, -5, 1), -5);  // not worth the way
}

TEST(View, ThePenaltyIsTheLeastOfAGridForABoundedActivationToo) {
  const FitTarget relu6{.value = "v", .minus = {}, .clipped = true, .lower = 0, .upper = 6};
  Rng rng(2);
  for (int i = 0; i < 200; ++i) {
    const auto dense = static_cast<float>(rng.uniform(-9, 12)), now = static_cast<float>(rng.uniform(-9, 12));
    const float lambda = i % 2 == 0 ? 0.01F : 1;
    const auto cost = [&](float z) {
      return std::pow(std::clamp(z, 0.0F, 6.0F) - std::clamp(dense, 0.0F, 6.0F), 2) + lambda * std::pow(z - now, 2);
    };
    const float found = target_of(relu6, dense, 1, now, lambda);
    for (float z = -12; z < 14; z += 0.05F) EXPECT_LE(cost(found), cost(z) + 1e-3) << dense << " " << now;
  }
}

TEST(View, InOnePassWhatIsCutOffAnywayIsRight) {
  const FitTarget relu{.value = "v", .minus = {}, .clipped = true, .lower = 0, .upper = kInfinity};
  RowBlock block{.rows = 1, .patches = {}, .targets = {-2, -2, 3}, .dense = {-2, -2, 3}};
  std::vector<float> outputs = {-5, 1, 1};
  rest_in_view(relu, block, outputs);
  EXPECT_EQ(outputs, (std::vector<float>{0, -1, 2}));
}

}  // namespace
}  // namespace pare::testing
