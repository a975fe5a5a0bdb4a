#include "pare/augment.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(AugmentOptions, ReadWords) {
  EXPECT_EQ(parse_augment("crop4, hflip,cutout16"), (AugmentOptions{.crop = 4, .horizontal_flip = true, .cutout = 16}));
  EXPECT_EQ(parse_augment("reflect3,vflip,rot90"),
            (AugmentOptions{.crop = 3, .reflect = true, .vertical_flip = true, .rotate90 = true}));
  EXPECT_EQ(parse_augment("cifar"), parse_augment("crop4,hflip"));
  EXPECT_EQ(parse_augment("aerial"), parse_augment("hflip,vflip,rot90"));
  EXPECT_EQ(parse_augment("cifar,cutout8"), parse_augment("cutout8,hflip,crop4"));
  EXPECT_EQ(parse_augment("none"), AugmentOptions{});
}

TEST(AugmentOptions, WrittenAndReadAgainAreTheSame) {
  for (const char* words : {"none", "crop4,hflip", "reflect12,vflip,rot90,cutout8", "hflip,vflip,rot90"})
    EXPECT_EQ(augment_text(parse_augment(words)), words);
}

TEST(AugmentOptions, NameAWrongWordAndItsNearest) {
  const std::pair<const char*, const char*> cases[] = {{"hflp", "nearest: 'hflip'"},
                                                       {"crop", "'crop' wants a number of pixels, crop4 say"},
                                                       {"crop0", "number of pixels"},
                                                       {"crop-4", "number of pixels"},
                                                       {"crop4x", "unknown word 'crop4x'"},
                                                       {"cutuot8", "'cutout8'"},
                                                       {"", "unknown word ''"},
                                                       {"crop4,reflect4", "second border"},
                                                       {"cifar,crop2", "second border"},
                                                       {"none,hflip", "'none' stands beside other words"},
                                                       {"rot_90", "'rot90'"},
                                                       {"crop99999999999999999999", "number of pixels"}};
  for (const auto& [words, part] : cases) {
    SCOPED_TRACE(words);
    expect_error([&] { (void)parse_augment(words); }, ErrorCode::kInvalidArgument, {"augment:", part});
  }
}

}  // namespace
}  // namespace pare::testing
