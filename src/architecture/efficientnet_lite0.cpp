// EfficientNet-Lite0: EfficientNet-B0 (Tan and Le 2019) without squeeze-and-excitation and with ReLU6, so that it
// survives int8. Stem and head keep their width.
#include "architecture/inverted_residual.h"

namespace pare {

ArchitectureFamily efficientnet_lite0() {
  return {{{.name = "efficientnet_lite0",
            .summary = "EfficientNet-Lite0: depthwise convolutions of 3x3 and 5x5, ReLU6, made for int8",
            .options = scaled_image_options("224", "1000")},
           [](NetBuilder& net, const StepOptions& options) {
             add_inverted_net(net, options,
                              {.scale_ends = false,
                               .stages = {{1, 16, 1, 1, 3},
                                          {6, 24, 2, 2, 3},
                                          {6, 40, 2, 2, 5},
                                          {6, 80, 3, 2, 3},
                                          {6, 112, 3, 1, 5},
                                          {6, 192, 4, 2, 5},
                                          {6, 320, 1, 1, 3}}});
           }}};
}

}  // namespace pare
