// layer_rows.h - a layer's sampled patches and targets at a stop of the lockstep, block by block, as often as needed.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "fit/linear_layer.h"
#include "fit/lockstep.h"
#include "fit/target.h"

namespace pare {

struct RowBlock {
  std::int64_t rows = 0;
  std::size_t batch = 0;
  std::vector<float> patches;  ///< rows x width, the last column 1 if the layer can have a bias
  std::vector<float> targets;  ///< rows x outputs: dense value minus what is added to the layer's output
  std::vector<float> dense;    ///< rows x outputs: the dense value itself
};

struct RowOptions {
  std::int64_t rows_per_unknown = 20;
  std::int64_t least_rows = 65536;
  std::uint64_t seed = 0;
  std::int64_t memory_bytes = 400'000'000;  ///< rows are kept if they fit, else gathered anew each time
};

class LayerRows {
 public:
  /// `channels`: input channels of the layer that there still are. Lockstep and layer must outlive it.
  LayerRows(const Lockstep& lockstep, const LinearLayer& layer, FitTarget target, std::vector<std::int64_t> channels,
            const RowOptions& options);

  [[nodiscard]] std::int64_t width() const noexcept { return width_; }
  [[nodiscard]] std::size_t batches() const noexcept { return lockstep_.batches(); }
  void for_each(const std::function<void(const RowBlock&)>& use);

 private:
  [[nodiscard]] RowBlock gather(std::size_t batch, std::span<const std::int64_t> positions) const;

  const Lockstep& lockstep_;
  const LinearLayer& layer_;
  FitTarget target_;
  std::vector<std::int64_t> channels_;
  RowOptions options_;
  std::int64_t width_ = 0, rows_per_batch_ = 0;
  bool keep_ = false, kept_ = false;
  std::vector<RowBlock> blocks_;
};

}  // namespace pare
