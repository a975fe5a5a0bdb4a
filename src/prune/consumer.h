// consumer.h - a layer that reads channels, as least squares sees it: which columns belong to which class.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fit/layer_rows.h"
#include "fit/linear_layer.h"
#include "fit/moments.h"
#include "pare/channels.h"

namespace pare {

/// Wider layers are not fitted: the moments would fill the memory.
inline constexpr std::int64_t kMostUnknowns = 6144;

/// The layer of a flow as one to be fitted; none, with the reason, where that cannot be.
[[nodiscard]] ReadLayer read_consumer(const Model& model, const GraphIndex& index, const ChannelLayer& layer);

/// Input channels whose class is not among the removed ones, in order.
[[nodiscard]] std::vector<std::int64_t> channels_left(const ChannelLayer& layer,
                                                      const std::unordered_set<ChannelClass>& removed);

/// Columns of each class in a matrix of these channels, taps inside; classes in the order given.
[[nodiscard]] std::vector<std::vector<std::int64_t>> columns_of(const ChannelLayer& layer,
                                                                const std::vector<std::int64_t>& channels,
                                                                std::int64_t taps,
                                                                const std::vector<ChannelClass>& classes);

/// Weights of these channels and, if there can be one, the bias as the last column.
[[nodiscard]] Matrix weights_of(const LinearLayer& layer, const std::vector<std::int64_t>& channels);
/// The opposite: 0 in all other channels.
void put_weights(LinearLayer& layer, const std::vector<std::int64_t>& channels, const Matrix& weights);

/// Mean over rows of the squared activation, summed over channels: what errors are measured against.
class Energy {
 public:
  explicit Energy(const FitTarget& target) : target_(target) {}
  void add(const RowBlock& block);
  [[nodiscard]] double mean() const;

 private:
  const FitTarget& target_;
  double sum_ = 0;
  std::int64_t rows_ = 0;
};

/// A value shaped like the layer's input: mean square of each channel. For layers that are not fitted.
[[nodiscard]] std::vector<double> channel_energies(const Tensor& value, bool channels_first);

/// For a layer that is not fitted: sum of squared weights that read each input channel.
[[nodiscard]] std::vector<double> weight_energies(const Graph& graph, std::int64_t node, std::int64_t channels);

}  // namespace pare
