#include "core/deflated_size.h"

#include "core/random.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(DeflatedSize, IsSmallForZerosAndAboutTheSameForNoise) {
  const std::string zeros(3'000'000, '\0');
  EXPECT_LT(deflated_size(zeros), 10'000);
  Rng rng(1);
  std::string noise(3'000'000, ' ');
  for (char& c : noise) c = static_cast<char>(rng.below(256));
  EXPECT_NEAR(static_cast<double>(deflated_size(noise)), 3e6, 3e4);
  EXPECT_LT(deflated_size(""), 10);
}

}  // namespace
}  // namespace pare::testing
