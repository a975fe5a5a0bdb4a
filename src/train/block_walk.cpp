#include "train/block_walk.h"

#include <algorithm>
#include <set>

#include "fit/sub_model.h"
#include "ops/constant_roots.h"

namespace pare {

BlockWalk::BlockWalk(Model model, const std::vector<std::string>& ends, const std::vector<NamedTensors>& samples,
                     SessionOptions session, std::int64_t memory_bytes)
    : model_(std::move(model)), session_(std::move(session)), batches_(samples.size()), values_(memory_bytes) {
  session_.extra_outputs.clear();
  session_.force_float32 = true;
  const ConstantRoots roots(model_.graph);
  const GraphIndex& index = roots.index();
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> block_of(model_.graph.nodes.size(), kNone);
  for (const std::string& end : ends) {
    Block block{.end = end, .nodes = {}, .reads = {}, .gives = {}};
    std::vector<std::int64_t> open = {index.producer(end)};
    while (!open.empty()) {
      const std::int64_t node = open.back();
      open.pop_back();
      if (node < 0 || block_of[static_cast<std::size_t>(node)] == blocks_.size()) continue;
      if (block_of[static_cast<std::size_t>(node)] != kNone) continue;
      block_of[static_cast<std::size_t>(node)] = blocks_.size();
      block.nodes.push_back(node);
      for (const std::string& name : values_read(model_.graph.nodes[static_cast<std::size_t>(node)]))
        if (index.constant(name).empty()) open.push_back(index.producer(name));
    }
    std::sort(block.nodes.begin(), block.nodes.end());
    blocks_.push_back(std::move(block));
  }
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    std::set<std::string> reads;
    for (const std::int64_t node : blocks_[b].nodes)
      for (const std::string& name : values_read(model_.graph.nodes[static_cast<std::size_t>(node)])) {
        if (name.empty() || !index.constant(name).empty()) continue;
        const std::int64_t maker = index.producer(name);
        if (maker < 0 ? model_.graph.find_input(name) != nullptr : block_of[static_cast<std::size_t>(maker)] != b)
          reads.insert(name);
      }
    blocks_[b].reads.assign(reads.begin(), reads.end());
    for (const std::string& name : reads)
      if (const std::int64_t maker = index.producer(name); maker >= 0) {
        std::vector<std::string>& gives = blocks_[block_of[static_cast<std::size_t>(maker)]].gives;
        if (std::find(gives.begin(), gives.end(), name) == gives.end()) gives.push_back(name);
      }
  }
  for (std::size_t b = 0; b < blocks_.size(); ++b) {  // an earlier block may have made the end already
    const std::int64_t maker = index.producer(blocks_[b].end);
    std::vector<std::string>& gives = blocks_[maker < 0 ? b : block_of[static_cast<std::size_t>(maker)]].gives;
    if (std::find(gives.begin(), gives.end(), blocks_[b].end) == gives.end()) gives.push_back(blocks_[b].end);
  }
  for (std::size_t b = 0; b < samples.size(); ++b)
    for (const auto& [name, tensor] : samples[b]) values_.put(name, b, tensor);
}

NamedTensors BlockWalk::inputs(std::size_t block, std::size_t batch) const {
  NamedTensors inputs;
  for (const std::string& name : blocks_[block].reads) inputs[name] = values_.get(name, batch);
  return inputs;
}

Model BlockWalk::part(std::size_t block, const std::vector<std::string>& outputs) const {
  return sub_model(model_, blocks_[block].nodes, inputs(block, 0), true, outputs);
}

Model BlockWalk::block_model(std::size_t block) const { return part(block, {blocks_[block].end}); }

void BlockWalk::run(std::size_t block) {
  if (blocks_[block].nodes.empty()) return;
  const std::vector<std::string>& gives = blocks_[block].gives;
  const std::unique_ptr<Session> session = open_session(part(block, gives), session_);
  for (std::size_t batch = 0; batch < batches_; ++batch) {
    const std::vector<Tensor> results = session->run(inputs(block, batch));
    for (const std::string& name : blocks_[block].reads) values_.rest(name, batch);
    for (std::size_t i = 0; i < gives.size(); ++i) values_.put(gives[i], batch, results[i]);
  }
}

void BlockWalk::finish(std::size_t block) {
  std::unordered_set<std::string> needed;
  for (std::size_t b = block + 1; b < blocks_.size(); ++b) {
    needed.insert(blocks_[b].reads.begin(), blocks_[b].reads.end());
    needed.insert(blocks_[b].end);
  }
  for (const std::string& name : values_.names())
    if (!needed.contains(name)) values_.drop(name);
}

}  // namespace pare
