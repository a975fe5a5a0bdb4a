// block_walk.h - runs a network over all samples from one block end to the next; each node is run once.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "fit/value_store.h"
#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

/// Values live only as long as a later block reads them.
class BlockWalk {
 public:
  /// `ends` in the order of the nodes. The model may be given other weights through model() until a block has run.
  BlockWalk(Model model, const std::vector<std::string>& ends, const std::vector<NamedTensors>& samples,
            SessionOptions session, std::int64_t memory_bytes);

  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }
  [[nodiscard]] Model& model() noexcept { return model_; }
  /// Nodes of a block: all that its end needs and no block before it has run.
  [[nodiscard]] const std::vector<std::int64_t>& nodes(std::size_t block) const { return blocks_[block].nodes; }
  /// The block as a network of its own that gives its end.
  [[nodiscard]] Model block_model(std::size_t block) const;
  /// What block_model() reads, when all blocks before it have run.
  [[nodiscard]] NamedTensors inputs(std::size_t block, std::size_t batch) const;
  /// Runs a block; the blocks before it must have run.
  void run(std::size_t block);
  [[nodiscard]] Tensor end(std::size_t block, std::size_t batch) const {
    return values_.get(blocks_[block].end, batch);
  }
  /// Drops what only this block and those before it need.
  void finish(std::size_t block);

 private:
  struct Block {
    std::string end;
    std::vector<std::int64_t> nodes;
    std::vector<std::string> reads;  ///< values of earlier blocks and the network's inputs
    std::vector<std::string> gives;  ///< its end, and what later blocks read
  };
  [[nodiscard]] Model part(std::size_t block, const std::vector<std::string>& outputs) const;

  Model model_;
  SessionOptions session_;
  std::vector<Block> blocks_;
  std::size_t batches_ = 0;
  ValueStore values_;
};

}  // namespace pare
