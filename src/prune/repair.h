// repair.h - takes channels out of a network, layer after layer, and refits every layer behind to what the dense
// network does; from unlabelled samples, without training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "budget/curve.h"
#include "pare/channels.h"
#include "pare/dataset.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

struct GroupCut {
  std::int64_t group = 0;   ///< index into ChannelFlow::groups
  std::int64_t remove = 0;  ///< how many of its classes go; at least one stays
  /// Which go first (ErrorCurve::order). Groups with one consumer that can be fitted choose for themselves, on the
  /// network as it is by then, if `order` is left to them.
  RemovedClasses order = {};
};

struct RepairOptions {
  std::int64_t samples = 512;
  std::uint64_t seed = 0;
  double damping = 1e-3;         ///< pull towards the old weights, relative to the mean energy of a layer's inputs
  std::int64_t view_passes = 3;  ///< refits that leave out what the activation cuts off anyway
  SessionOptions session{};      ///< its threads also for the matrix products
  /// Residual blocks whose bodies go: the last layer of each body becomes zero. The layer that makes the shortcut is
  /// fitted to what the dense network has behind the last dropped block of the run.
  std::vector<DropCandidate> drops = {};
};

struct LayerRepair {
  std::int64_t node = 0;
  std::string label;
  std::int64_t unknowns = 0, rows = 0;  ///< numbers fitted per output channel; positions they were fitted to
  /// Squared error at the layer's target over the energy of the activation there: the weights there were, without the
  /// removed channels, and the new ones.
  double error_before = 0, error_after = 0;
  double damping = 0;  ///< relative; infinite if the old weights were kept
};

struct RepairResult {
  Model model;             ///< shapes as before; every weight that reads a removed channel is 0
  RemovedClasses removed;  ///< by group, as the cuts are
  std::vector<LayerRepair> layers;
  std::vector<std::string> notes;  ///< layers that could not be refitted, with reasons
};

/// Whether the last layer of a block's body can be zeroed, so that the block can go.
[[nodiscard]] bool can_silence(const Model& model, const ChannelFlow& flow, const DropCandidate& drop);

/// Throws Error(kInvalidArgument) for a cut of a frozen or unknown group, of all its classes, or without an order where
/// one is needed, and for a block that cannot be silenced.
[[nodiscard]] RepairResult prune_and_repair(const Model& model, const ChannelFlow& flow,
                                            const std::vector<GroupCut>& cuts, const Dataset& data,
                                            const RepairOptions& options = {},
                                            ProgressSink& progress = silent_progress());

}  // namespace pare
