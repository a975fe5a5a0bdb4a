// pare/augment.h - random crops, flips and turns of training samples, the same for the same seed on any number of
// threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pare/dataset.h"

namespace pare {

struct AugmentOptions {
  /// Pixels put around the image before a window of its size is cut out at random; 0: none.
  std::int64_t crop = 0;
  /// The border repeats the image mirrored at its edge. Else it is black (what a stored 0 becomes; 0 where that is not
  /// known or "nodata" is set), and unlabelled in masks, NaN in regression maps.
  bool reflect = false;
  bool horizontal_flip = false;  ///< left and right change places, in half of the samples
  bool vertical_flip = false;    ///< for images taken from above
  bool rotate90 = false;         ///< by 0, 90, 180 or 270 degrees; needs squares
  std::int64_t cutout = 0;       ///< side of a square of zeros (after normalization) somewhere in the image; 0: none
  [[nodiscard]] bool operator==(const AugmentOptions&) const = default;
};

/// "crop4,hflip,vflip,rot90,cutout8", "reflect4" for a mirrored border; "cifar" is crop4,hflip, "aerial" is
/// hflip,vflip,rot90, "none" nothing. Throws Error(kInvalidArgument) naming the word and the nearest known ones.
[[nodiscard]] AugmentOptions parse_augment(std::string_view words);
/// The words that give these options, "none" for none.
[[nodiscard]] std::string augment_text(const AugmentOptions& options);

/// The dataset with every sample changed at random. What happens to sample i depends on `seed` and i alone, so each
/// epoch wants another seed, and threads and batch sizes change nothing. Inputs of rank 4 are images ([N, C, H, W] or
/// [N, H, W, C] as Dataset::layout() says) of any element type of whole bytes; masks and regression maps ([N, H, W],
/// [N, T, H, W], [N, H, W, T]) move with them, numbers per sample stay. batch() throws Error(kInvalidArgument) where
/// there is no image, on rotate90 of oblong images, and on crop where inputs or target differ in size.
[[nodiscard]] std::unique_ptr<Dataset> augmented(std::shared_ptr<const Dataset> dataset, const AugmentOptions& options,
                                                 std::uint64_t seed);

}  // namespace pare
