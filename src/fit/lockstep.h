// lockstep.h - runs a network and a changed one side by side over all samples, stopping at layers; each is run once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fit/value_store.h"
#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/progress.h"
#include "pare/session.h"

namespace pare {

/// Nodes in an order in which short branches come before long ones: of y = Add(shortcut, body) the shortcut is known
/// before the body's last layer. Constant nodes are left out.
[[nodiscard]] std::vector<std::int64_t> walk_order(const Graph& graph);

/// Before this node runs in the changed network: what must be at hand.
struct Stop {
  std::int64_t node = 0;
  std::vector<std::string> dense;    ///< values of the dense network, also of nodes that come later
  std::vector<std::string> changed;  ///< values of the changed network, of nodes before this one
};

struct LockstepOptions {
  std::int64_t samples = 512;  ///< at most so many, spread over the dataset
  std::uint64_t seed = 0;
  std::int64_t batch_bytes = 128 << 20;       ///< a batch's largest value stays below that, where the network allows it
  std::int64_t memory_bytes = 1'500'000'000;  ///< of values at hand; the rest goes to files
  SessionOptions session{};
};

/// Same nodes, other weights: nodes that `changing` does not reach are run once for both. Values live only as long as
/// somebody reads them.
class Lockstep {
 public:
  /// `stops` in walk order. `shapes`: of all values, from a run with one sample. `changing`: nodes whose weights will
  /// differ; their weights may be set until they run. Model and dataset must outlive it.
  Lockstep(const Model& dense, std::vector<Stop> stops, const std::vector<std::int64_t>& changing,
           const std::unordered_map<std::string, Shape>& shapes, const Dataset& data, const LockstepOptions& options);

  /// Goes to the next stop; false after the last.
  [[nodiscard]] bool next();
  [[nodiscard]] std::size_t stop() const noexcept { return stop_; }  ///< index into the stops
  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }
  [[nodiscard]] Tensor dense(const std::string& value, std::size_t batch) const;
  [[nodiscard]] Tensor changed(const std::string& value, std::size_t batch) const;
  /// After a batch was used: memory of spilled values is given back.
  void rest(std::size_t batch) const;
  [[nodiscard]] bool differs(const std::string& value) const { return differs_.contains(value); }
  /// The changed network. Weights of nodes from the present stop on may be changed.
  [[nodiscard]] Model& model() noexcept { return changed_; }
  /// Samples that are run: a multiple of the batch.
  [[nodiscard]] std::int64_t samples() const noexcept { return samples_; }

 private:
  void read_inputs(const Dataset& data, const LockstepOptions& options,
                   const std::unordered_map<std::string, Shape>& shapes);
  void advance(bool dense, std::int64_t to);
  void free_values();
  [[nodiscard]] bool needed_dense(const std::string& value) const;
  [[nodiscard]] bool needed_changed(const std::string& value) const;

  const Model& dense_;
  Model changed_;
  SessionOptions session_;
  std::vector<Stop> stops_;
  std::vector<std::int64_t> order_;
  std::unordered_map<std::int64_t, std::int64_t> place_;                    ///< of a node in the order
  std::unordered_map<std::string, std::int64_t> made_at_;                   ///< place of the node that makes a value
  std::unordered_map<std::string, std::vector<std::int64_t>> read_at_;      ///< places of all readers
  std::unordered_map<std::string, std::size_t> last_dense_, last_changed_;  ///< last stop that asks for a value
  std::vector<bool> affected_;                                              ///< by place: runs in the changed network
  std::unordered_set<std::string> differs_;
  ValueStore dense_values_, changed_values_;
  std::int64_t at_dense_ = 0, at_changed_ = 0;
  std::size_t stop_ = 0, batches_ = 0;
  std::int64_t samples_ = 0;
  bool started_ = false;
};

}  // namespace pare
