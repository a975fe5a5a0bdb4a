// inverted_residual.h - the block of the MobileNets: 1x1 up, depthwise, 1x1 down without activation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "architecture/family.h"

namespace pare {

/// One line of the papers' tables: `blocks` of `outputs` channels, the first with the stride.
struct InvertedStage {
  std::int64_t expansion = 1, outputs = 0, blocks = 1, stride = 1, kernel = 3;
};

struct InvertedNet {
  std::int64_t stem = 32, head = 1280;  ///< channels, before any width
  bool scale_ends = true;               ///< stem and, above width 1, head are scaled too
  std::vector<InvertedStage> stages = {};
};

/// The whole network. Images of at most 64 pixels keep their size in the stem and in the second stage, as is usual on
/// CIFAR: halved five times nothing would be left of them.
void add_inverted_net(NetBuilder& net, const StepOptions& options, const InvertedNet& layout);

}  // namespace pare
