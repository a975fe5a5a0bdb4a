// latency_table.h - milliseconds as a function of the widths, measured on the runtime in use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "budget/cost.h"
#include "measure/timing.h"

namespace pare {

struct LatencyOptions {
  SessionOptions session = {};
  double budget_s = 20;  ///< measuring time for the whole table, about
  std::uint64_t seed = 0;
  Clocks clocks = system_clocks();
  ProgressSink* progress = &silent_progress();
};

/// The time of what makes and reads the channels of one group, alone, at some widths.
struct GroupLatency {
  struct Point {
    std::int64_t removed = 0;  ///< classes
    double ms = 0;
  };
  std::int64_t group = 0;
  std::vector<Point> points = {};  ///< ascending; the first one is the full width; empty: nothing could be timed
  double odd_width = 1;            ///< how much longer a width takes that is no multiple of 4
  /// What the whole network saves for each millisecond that the part alone saves: in place, layers find less of what
  /// they need in the nearest caches.
  double in_place = 1;
  std::int64_t measured_as = 0;  ///< group of equal structure whose measurement this is; itself if it was timed
  std::string note = {};         ///< "" or why it was not timed (then its MACs stand for it)
};

struct LatencyTable {
  double whole_ms = 0;                    ///< of the whole network
  std::vector<GroupLatency> groups = {};  ///< one for each curve, in their order
  Cost cost = {};                         ///< in milliseconds, for choose_widths
};

/// For each group the network is cut at multiples of 8 channels (of 4 below 32) and at one odd width, the nodes of the
/// group are taken out as a small network, and all its widths are timed side by side. Groups of equal structure are
/// timed once. The staircase stays as it is: a narrower width may take longer.
/// Then all groups of one structure are cut to about half in the whole network, which tells what its savings are in
/// place; structures that make too little difference for that take the factor of all groups together.
/// The time of a layer is its share of its groups' parts by MACs, all together at most the whole network's time; it
/// shrinks with the parts of the groups that it reads and makes, multiplied where both shrink. A dropped block saves
/// the time of its layers. Needs flow.inputs and flow.trace.
[[nodiscard]] LatencyTable measure_latency(const Model& model, const ChannelFlow& flow,
                                           const std::vector<ErrorCurve>& curves,
                                           const std::vector<DropCandidate>& drops, const LatencyOptions& options = {});

/// By number of removed classes, 0 to curve.order.size(): the group's time over that at full width. Between measured
/// widths linear for multiples of 4 channels; others take `odd_width` longer.
[[nodiscard]] std::vector<double> relative_times(const GroupLatency& latency, const ChannelGroup& group,
                                                 const ErrorCurve& curve);

}  // namespace pare
