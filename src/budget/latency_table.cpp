#include "budget/latency_table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "budget/count_costs.h"
#include "budget/part_model.h"
#include "budget/time_parts.h"
#include "core/fail.h"
#include "ops/macs.h"

namespace pare {
namespace {

/// Layers and what lies between them take at most so much of the whole; the rest stays whatever is cut.
constexpr double kLargestShare = 0.98;

/// Savings of a structure in place are measured if its parts promise at least so much of the whole.
constexpr double kTellingShare = 0.02;
constexpr double kMostFit = 1.3;
constexpr double kLeastInPlace = 0.5, kMostInPlace = 3;

/// Removed classes at which the group is timed: full, kept multiples of 8 channels (at most 16 of them), of 4 below 32,
/// and one odd width, which comes last.
std::vector<std::int64_t> widths_to_time(const ChannelGroup& group, const ErrorCurve& curve) {
  const auto classes = static_cast<std::int64_t>(group.classes.size());
  const std::int64_t per_class = std::max<std::int64_t>(1, group.channels / classes);
  const std::int64_t step = 8 * (1 + group.channels / 8 / 16);
  std::vector<std::int64_t> removed = {0};
  for (std::int64_t n = 1; n <= static_cast<std::int64_t>(curve.order.size()); ++n) {
    const std::int64_t kept = (classes - n) * per_class;
    if (kept % step == 0 || (kept < 32 && kept % 4 == 0) || kept == 8 || kept == 16) removed.push_back(n);
  }
  if (removed.size() == 1 && !curve.order.empty()) removed.push_back(static_cast<std::int64_t>(curve.order.size()));
  if (per_class == 1 && classes > 8) removed.push_back(3);
  return removed;
}

bool is_odd(const ChannelGroup& group, std::int64_t removed) {
  const auto classes = static_cast<std::int64_t>(group.classes.size());
  return group.channels % 4 == 0 && (classes - removed) * (group.channels / classes) % 4 != 0;
}

class Measurer {
 public:
  Measurer(const Model& model, const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
           const std::vector<DropCandidate>& drops, const LatencyOptions& options)
      : model_(model), flow_(flow), curves_(curves), drops_(drops), options_(options), index_(model.graph) {}

  LatencyTable run() {
    find_parts();
    whole_ = open_session(model_, options_.session);
    whole_->bind(*flow_.inputs);
    table_.whole_ms = time_parts(options_.clocks, *whole_, {}, timing_for_one()).whole_ms;
    ProgressTask task(*options_.progress, "latency table", static_cast<std::int64_t>(curves_.size()), "groups");
    for (std::size_t c = 0; c < curves_.size(); ++c) {
      measure(c);
      task.advance(static_cast<std::int64_t>(c) + 1);
    }
    measure_in_place();
    measure_bodies();
    layer_ms_ = layer_times();
    make_cost(layer_ms_);
    fit_to_all();
    return std::move(table_);
  }

 private:
  TimePartsOptions timing_for_one() const {
    return {.budget_s = options_.budget_s / static_cast<double>(structures_.size() + 1),
            .block_ms = std::clamp(table_.whole_ms, 0.3, 1.0),
            .seed = options_.seed};
  }
  /// In milliseconds of `whole_ms`, however busy the machine is by now.
  std::vector<double> time(const std::vector<Session*>& parts) {
    const PartTimes times = time_parts(options_.clocks, *whole_, parts, timing_for_one());
    std::vector<double> ms;
    for (const double part : times.part_ms) ms.push_back(part / times.whole_ms * table_.whole_ms);
    return ms;
  }
  std::set<std::string> outputs_of(const std::set<std::int64_t>& nodes) const {
    std::set<std::string> outputs;
    for (const std::int64_t node : nodes) outputs.insert(model_.graph.nodes[static_cast<std::size_t>(node)].output(0));
    return outputs;
  }

  void find_parts() {
    for (const ErrorCurve& curve : curves_) {
      nodes_.push_back(nodes_of_group(model_.graph, index_, flow_, curve.group));
      parts_.push_back(extract_part(model_, outputs_of(nodes_.back()), *flow_.trace, options_.seed));
      if (!parts_.back()) continue;
      // Groups that share their layers' outputs with others are told apart by their own sizes too.
      const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(curve.group)];
      parts_.back()->structure += fmt::format("|{}|{}", group.classes.size(), group.channels);
      structures_.try_emplace(parts_.back()->structure, curve.group);
    }
  }

  void measure(std::size_t c) {
    GroupLatency& latency = table_.groups.emplace_back();
    latency.group = latency.measured_as = curves_[c].group;
    if (!parts_[c]) {
      latency.note = "its nodes are no network of their own";
      return;
    }
    const std::int64_t same = structures_.at(parts_[c]->structure);
    if (same != latency.group) {
      const auto first = std::find_if(table_.groups.begin(), table_.groups.end(),
                                      [&](const GroupLatency& other) { return other.group == same; });
      const std::int64_t group = latency.group;
      latency = GroupLatency(*first);
      latency.group = group;
      return;
    }
    try {
      time_widths(c, latency);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      latency.points.clear();
      latency.note = fmt::format("its nodes do not run alone: {}", error.what());
    }
  }

  void time_widths(std::size_t c, GroupLatency& latency) {
    const ErrorCurve& curve = curves_[c];
    const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(curve.group)];
    const std::set<std::string> outputs = outputs_of(nodes_[c]);
    const std::vector<std::int64_t> widths = widths_to_time(group, curve);
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Session*> pointers;
    for (const std::int64_t removed : widths) {
      std::optional<PartModel> part;
      if (removed > 0) {
        const Model cut = remove_channels(model_, flow_, {curve.order.begin(), curve.order.begin() + removed});
        part = extract_part(cut, outputs, *flow_.trace, options_.seed);
        if (!part) fail(ErrorCode::kUnsupported, "{}: the cut network falls apart", group.name);
      }
      const PartModel& timed = removed > 0 ? *part : *parts_[c];
      sessions.push_back(open_session(timed.model, options_.session));
      sessions.back()->bind(timed.inputs);
      pointers.push_back(sessions.back().get());
    }
    const std::vector<double> ms = time(pointers);
    for (std::size_t i = 0; i < widths.size(); ++i) latency.points.push_back({.removed = widths[i], .ms = ms[i]});
    take_odd_width(latency, group, curve);
  }

  /// The odd width goes out of the table into a factor.
  static void take_odd_width(GroupLatency& latency, const ChannelGroup& group, const ErrorCurve& curve) {
    const GroupLatency::Point last = latency.points.back();
    if (latency.points.size() < 3 || !is_odd(group, last.removed)) return;
    latency.points.pop_back();
    const std::vector<double> even = relative_times(latency, group, curve);
    const double expected = even[static_cast<std::size_t>(last.removed)] * latency.points[0].ms;
    latency.odd_width = std::max(1.0, last.ms / expected);
  }

  /// A network in which groups are cut to about half, and what their parts promise to save.
  struct Trial {
    RemovedClasses removed = {};
    double promised_ms = 0;
    std::vector<std::size_t> groups = {};  ///< indices into table_.groups
  };

  void add_to(Trial& trial, std::size_t c) const {
    const GroupLatency& latency = table_.groups[c];
    const auto classes =
        static_cast<std::int64_t>(flow_.groups[static_cast<std::size_t>(latency.group)].classes.size());
    const auto nearest = std::min_element(
        latency.points.begin(), latency.points.end(), [&](const GroupLatency::Point& a, const GroupLatency::Point& b) {
          return std::abs(2 * a.removed - classes) < std::abs(2 * b.removed - classes);
        });
    if (nearest == latency.points.end() || nearest->removed == 0) return;
    const RemovedClasses& order = curves_[c].order;
    trial.removed.insert(trial.removed.end(), order.begin(), order.begin() + nearest->removed);
    trial.promised_ms += latency.points[0].ms - nearest->ms;
    trial.groups.push_back(c);
  }

  void measure_in_place() {
    std::map<std::int64_t, Trial> by_structure;
    Trial all;
    for (std::size_t c = 0; c < table_.groups.size(); ++c) {
      add_to(by_structure[table_.groups[c].measured_as], c);
      add_to(all, c);
    }
    std::vector<Trial> trials = {all};
    for (const auto& [structure, trial] : by_structure)
      if (trial.promised_ms > kTellingShare * table_.whole_ms) trials.push_back(trial);
    if (all.promised_ms <= kTellingShare * table_.whole_ms) return;
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Session*> pointers;
    for (const Trial& trial : trials) {
      sessions.push_back(open_session(remove_channels(model_, flow_, trial.removed), options_.session));
      sessions.back()->bind(*flow_.inputs);
      pointers.push_back(sessions.back().get());
    }
    const std::vector<double> ms = time(pointers);
    // All groups first: structures measured apart overwrite it.
    for (std::size_t i = 0; i < trials.size(); ++i)
      for (const std::size_t c : trials[i].groups)
        table_.groups[c].in_place =
            std::clamp((table_.whole_ms - ms[i]) / trials[i].promised_ms, kLeastInPlace, kMostInPlace);
    all_ms_ = ms[0];
    all_widths_ = full_widths(flow_, drops_);
    for (const std::size_t c : all.groups)
      for (const ChannelClass gone : all.removed)
        if (flow_.group_of_class[static_cast<std::size_t>(gone)] == table_.groups[c].group)
          ++all_widths_.removed[static_cast<std::size_t>(table_.groups[c].group)];
  }

  /// Groups cut together save another amount than the model says of the sum: the plans to come cut most groups, so what
  /// was measured with all of them at half is what the model has to say.
  void fit_to_all() {
    double factor = 1;
    for (int round = 0; round < 8 && !all_widths_.removed.empty(); ++round) {
      const double said = table_.whole_ms - table_.cost.total(all_widths_), saved = table_.whole_ms - all_ms_;
      if (said <= 0 || saved <= 0 || std::abs(said / saved - 1) < 0.01) return;
      // Bounded: one measurement at one width does not speak for all.
      const double wanted = std::clamp(factor * saved / said, 1 / kMostFit, kMostFit);
      for (GroupLatency& latency : table_.groups) latency.in_place *= wanted / factor;
      factor = wanted;
      make_cost(layer_ms_);
    }
  }

  /// Layers of blocks that no group's part holds.
  void measure_bodies() {
    std::set<std::int64_t> known;
    for (std::size_t c = 0; c < nodes_.size(); ++c)
      if (!table_.groups[c].points.empty()) known.insert(nodes_[c].begin(), nodes_[c].end());
    std::map<std::string, double> times;
    for (const DropCandidate& drop : drops_) {
      const std::set<std::int64_t> body(drop.body.begin(), drop.body.end());
      const bool all_known = std::all_of(flow_.layers.begin(), flow_.layers.end(), [&](const ChannelLayer& layer) {
        return !body.contains(layer.node) || known.contains(layer.node);
      });
      if (all_known) continue;
      try {
        const auto part = extract_part(model_, outputs_of(body), *flow_.trace, options_.seed);
        if (!part) continue;
        auto [at, added] = times.try_emplace(part->structure, 0.0);
        if (added) {
          const auto session = open_session(part->model, options_.session);
          session->bind(part->inputs);
          at->second = time({session.get()}).at(0);
        }
        share_out(body, at->second);
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kInterrupted) throw;  // else its MACs stand for it
      }
    }
  }

  double macs_of(std::int64_t node) const {
    const auto macs = node_macs(
        model_.graph.nodes[static_cast<std::size_t>(node)], [this](std::string_view value) -> std::optional<Shape> {
          const auto found = flow_.trace->shapes.find(std::string(value));
          return found == flow_.trace->shapes.end() ? std::nullopt : std::optional(found->second);
        });
    return static_cast<double>(macs.value_or(0));
  }
  /// Adds a part's time to its layers by MACs.
  void share_out(const std::set<std::int64_t>& nodes, double ms) {
    double all = 0;
    for (const ChannelLayer& layer : flow_.layers)
      if (nodes.contains(layer.node)) all += macs_of(layer.node);
    for (const ChannelLayer& layer : flow_.layers)
      if (nodes.contains(layer.node) && all > 0) shares_[layer.node].push_back(ms * macs_of(layer.node) / all);
  }

  /// By node of a layer: its milliseconds.
  std::map<std::int64_t, double> layer_times() {
    for (std::size_t c = 0; c < nodes_.size(); ++c)
      if (!table_.groups[c].points.empty()) share_out(nodes_[c], table_.groups[c].points[0].ms);
    double all_macs = 0, sum = 0;
    for (const ChannelLayer& layer : flow_.layers) all_macs += macs_of(layer.node);
    std::map<std::int64_t, double> times;
    for (const ChannelLayer& layer : flow_.layers) {
      const auto shares = shares_.find(layer.node);
      double& time = times[layer.node];
      if (shares == shares_.end())
        time = all_macs > 0 ? kLargestShare * table_.whole_ms * macs_of(layer.node) / all_macs : 0;
      else
        time = std::accumulate(shares->second.begin(), shares->second.end(), 0.0) /
               static_cast<double>(shares->second.size());
      sum += time;
    }
    const double scale = sum > 0 ? std::min(1.0, kLargestShare * table_.whole_ms / sum) : 1;
    for (auto& [node, time] : times) time *= scale;
    return times;
  }

  void make_cost(const std::map<std::int64_t, double>& times) {
    std::map<std::int64_t, std::vector<double>> shrinking;  // by group
    for (std::size_t c = 0; c < curves_.size(); ++c) shrinking[curves_[c].group] = shrink(c, times);
    const std::vector<std::int64_t> place = places(flow_, curves_);
    const auto drops_of = drops_of_nodes(model_.graph.nodes.size(), drops_);
    const auto factor = [&](const std::vector<ChannelClass>& classes) {
      CostFactor kept = kept_channels(classes, flow_, curves_, place);
      const auto all = static_cast<double>(std::max<std::size_t>(classes.size(), 1));
      kept.fixed /= all;
      for (CostTable& table : kept.tables) {
        const double share = table.by_removed[0] / all;
        const std::vector<double>& by_removed = shrinking.at(table.group);
        for (std::size_t n = 0; n < table.by_removed.size(); ++n) table.by_removed[n] = share * by_removed[n];
      }
      return kept;
    };
    double rest = table_.whole_ms;
    std::vector<CostPart> parts;
    for (const ChannelLayer& layer : flow_.layers) {
      const double time = times.at(layer.node);
      rest -= time;
      CostPart part;
      if (layer.depthwise)
        part.in.fixed = 1;
      else
        part.in = factor(layer.inputs);
      part.out = factor(layer.outputs);
      part.out.fixed *= time;
      for (CostTable& table : part.out.tables)
        for (double& value : table.by_removed) value *= time;
      part.drops = drops_of[static_cast<std::size_t>(layer.node)];
      parts.push_back(std::move(part));
    }
    table_.cost = Cost(rest, std::move(parts), static_cast<std::int64_t>(flow_.groups.size()));
  }

  /// By removed classes, what is left of the time of the group's layers, so that alone it saves what was measured.
  std::vector<double> shrink(std::size_t c, const std::map<std::int64_t, double>& times) const {
    const GroupLatency& latency = table_.groups[c];
    const ChannelGroup& group = flow_.groups[static_cast<std::size_t>(latency.group)];
    if (latency.points.empty()) {  // what its channels are to its layers
      std::vector<double> left;
      const auto all = static_cast<double>(group.classes.size());
      for (std::size_t n = 0; n <= curves_[c].order.size(); ++n) left.push_back(1 - static_cast<double>(n) / all);
      return left;
    }
    std::vector<double> left = relative_times(latency, group, curves_[c]);
    double own = 0;
    for (const std::int64_t node : nodes_[c])
      if (const auto time = times.find(node); time != times.end()) own += time->second;
    if (own <= 0) return left;
    for (double& value : left) value = std::max(0.0, 1 - (1 - value) * latency.in_place * latency.points[0].ms / own);
    return left;
  }

  const Model& model_;
  const ChannelFlow& flow_;
  const std::vector<ErrorCurve>& curves_;
  const std::vector<DropCandidate>& drops_;
  const LatencyOptions& options_;
  GraphIndex index_;
  std::unique_ptr<Session> whole_;
  std::vector<std::set<std::int64_t>> nodes_;           ///< by curve
  std::vector<std::optional<PartModel>> parts_;         ///< by curve, at full width
  std::map<std::string, std::int64_t> structures_;      ///< the first group of each
  std::map<std::int64_t, std::vector<double>> shares_;  ///< by node of a layer: milliseconds in each part
  std::map<std::int64_t, double> layer_ms_;             ///< by node of a layer
  Widths all_widths_;                                   ///< all groups at about half
  double all_ms_ = 0;                                   ///< and the measured time of that network
  LatencyTable table_;
};

}  // namespace

std::vector<double> relative_times(const GroupLatency& latency, const ChannelGroup& group, const ErrorCurve& curve) {
  std::vector<double> result;
  const auto& points = latency.points;
  for (std::int64_t n = 0; n <= static_cast<std::int64_t>(curve.order.size()); ++n) {
    const auto after = std::find_if(points.begin(), points.end(),
                                    [&](const GroupLatency::Point& point) { return point.removed >= n; });
    double ms = points.empty() ? 1 : points.back().ms;
    if (after != points.end() && after->removed == n) {
      ms = after->ms;
    } else if (after != points.end() && after != points.begin()) {
      const GroupLatency::Point& before = *(after - 1);
      const double way = static_cast<double>(n - before.removed) / static_cast<double>(after->removed - before.removed);
      ms = before.ms + way * (after->ms - before.ms);
    }
    if (is_odd(group, n)) ms *= latency.odd_width;
    result.push_back(points.empty() ? 1 : ms / points[0].ms);
  }
  return result;
}

LatencyTable measure_latency(const Model& model, const ChannelFlow& flow, const std::vector<ErrorCurve>& curves,
                             const std::vector<DropCandidate>& drops, const LatencyOptions& options) {
  return Measurer(model, flow, curves, drops, options).run();
}

}  // namespace pare
