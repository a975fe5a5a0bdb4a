// The largest network of the literature that pare writes: 553 MB.
#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(ArchitectureCount, Vgg16OfThePaper) {
  // torchvision's vgg16_bn less the 4224 biases of its convolutions, which the normalization makes useless.
  EXPECT_EQ(parameters_of("vgg16", {{"size", "224"}, {"classes", "1000"}, {"head", "dense"}}), 138'365'992 - 4224);
}

}  // namespace
}  // namespace pare::testing
