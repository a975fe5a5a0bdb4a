// block_samples.h - what the dense and the changed network are run on when blocks are fitted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/session.h"
#include "pare/step.h"

namespace pare {

/// What both networks are run on.
struct BlockSamples {
  std::vector<NamedTensors> batches;
  std::vector<std::int64_t> indices;
  std::int64_t batch = 1;
  bool whole_batches = false;  ///< the network spells its batch out
  Trace dense, changed;
};

/// At most `count` samples, spread over the dataset. Throws Error(kInvalidArgument) where they are too few or an input
/// is missing.
[[nodiscard]] BlockSamples read_block_samples(const Model& dense, const Model& changed, const Dataset& data,
                                              std::int64_t count, const Context& context);
/// Those that no step sees.
[[nodiscard]] std::shared_ptr<const Dataset> judging_samples(const std::shared_ptr<const Dataset>& data,
                                                             const BlockSamples& samples);

}  // namespace pare
