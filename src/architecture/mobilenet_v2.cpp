// MobileNetV2 (Sandler et al. 2018).
#include "architecture/inverted_residual.h"

namespace pare {

ArchitectureFamily mobilenet_v2() {
  return {{{.name = "mobilenet_v2",
            .summary = "MobileNetV2: depthwise convolutions, fewest MACs",
            .options = scaled_image_options("224", "1000")},
           [](NetBuilder& net, const StepOptions& options) {
             add_inverted_net(net, options,
                              {.stages = {{1, 16, 1, 1},
                                          {6, 24, 2, 2},
                                          {6, 32, 3, 2},
                                          {6, 64, 4, 2},
                                          {6, 96, 3, 1},
                                          {6, 160, 3, 2},
                                          {6, 320, 1, 1}}});
           }}};
}

}  // namespace pare
