#include "fit/layer_rows.h"

#include <algorithm>

#include "fit/patches.h"

namespace pare {
namespace {

constexpr std::int64_t kBlockFloats = 12 << 20;

}  // namespace

LayerRows::LayerRows(const Lockstep& lockstep, const LinearLayer& layer, FitTarget target,
                     std::vector<std::int64_t> channels, const RowOptions& options)
    : lockstep_(lockstep),
      layer_(layer),
      target_(std::move(target)),
      channels_(std::move(channels)),
      options_(options) {
  width_ = static_cast<std::int64_t>(channels_.size()) * layer.taps + (layer.can_have_bias ? 1 : 0);
  const std::int64_t wanted = std::max(options.least_rows, options.rows_per_unknown * width_);
  const auto batches = static_cast<std::int64_t>(lockstep.batches());
  rows_per_batch_ = (wanted + batches - 1) / batches;
  const std::int64_t total =
      batches * std::min(rows_per_batch_, position_count(layer, lockstep.dense(target_.value, 0).shape()));
  keep_ = total * (width_ + 2 * layer.outputs) * 4 <= options.memory_bytes;
}

RowBlock LayerRows::gather(std::size_t batch, std::span<const std::int64_t> positions) const {
  RowBlock block;
  block.rows = static_cast<std::int64_t>(positions.size());
  block.batch = batch;
  block.patches.resize(static_cast<std::size_t>(block.rows * width_));
  block.dense.resize(static_cast<std::size_t>(block.rows * layer_.outputs));
  const Tensor dense = lockstep_.dense(target_.value, batch);
  gather_patches(layer_, channels_, lockstep_.changed(layer_.input, batch), dense.shape(), positions,
                 layer_.can_have_bias, block.patches.data());
  add_outputs(layer_, dense, positions, 1, block.dense.data());
  block.targets = block.dense;
  for (const std::string& other : target_.minus)
    add_outputs(layer_, lockstep_.changed(other, batch), positions, -1, block.targets.data());
  return block;
}

void LayerRows::for_each(const std::function<void(const RowBlock&)>& use) {
  if (kept_) {
    for (const RowBlock& block : blocks_) use(block);
    return;
  }
  const std::int64_t most = std::max<std::int64_t>(256, kBlockFloats / std::max<std::int64_t>(1, width_));
  for (std::size_t b = 0; b < lockstep_.batches(); ++b) {
    const std::int64_t total = position_count(layer_, lockstep_.dense(target_.value, b).shape());
    const std::vector<std::int64_t> positions =
        sample_positions(total, rows_per_batch_,
                         options_.seed * 0x9E3779B97F4A7C15ULL + b * 1000003 + static_cast<std::uint64_t>(layer_.node));
    const auto count = static_cast<std::int64_t>(positions.size());
    for (std::int64_t first = 0; first < count; first += most) {
      const auto part = std::span(positions).subspan(static_cast<std::size_t>(first),
                                                     static_cast<std::size_t>(std::min(most, count - first)));
      RowBlock block = gather(b, part);
      use(block);
      if (keep_) blocks_.push_back(std::move(block));
    }
    lockstep_.rest(b);
  }
  kept_ = keep_;
}

}  // namespace pare
