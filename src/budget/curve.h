// curve.h - what removing channels of a group costs in accuracy: the currency in which groups compete.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/channels.h"

namespace pare {

/// Which class goes first, and the estimated loss at the network's output after each. Comparable between the groups of
/// one network.
struct ErrorCurve {
  std::int64_t group = 0;          ///< index into ChannelFlow::groups
  RemovedClasses order = {};       ///< classes of the group in the order in which they go; the last one never goes
  std::vector<double> error = {};  ///< error[n]: the first n of `order` are gone; order.size() + 1 values, error[0] = 0
};

/// A residual block whose body can go as a whole: y = Add(shortcut, body(shortcut)).
struct DropCandidate {
  std::int64_t add = 0;                   ///< node of the Add (or Sum) that ends the block
  std::string shortcut = {};              ///< the value that replaces the Add's output
  std::vector<std::int64_t> body = {};    ///< nodes that only the body needs
  std::vector<std::int64_t> groups = {};  ///< channel groups that vanish with the body
  double error = 0;                       ///< in the currency of the curves
};

}  // namespace pare
