#include "factorize/layer_matrix.h"

#include <algorithm>
#include <numeric>

namespace pare {
namespace {

constexpr std::int64_t kMostUnknowns = 6144;

}  // namespace

Matrix layer_matrix(const LinearLayer& layer) {
  Matrix weights(layer.outputs, layer.columns());
  std::copy(layer.weight.begin(), layer.weight.end(), weights.values.begin());
  return weights;
}

std::vector<std::int64_t> all_channels(const LinearLayer& layer) {
  std::vector<std::int64_t> channels(static_cast<std::size_t>(layer.inputs));
  std::iota(channels.begin(), channels.end(), 0);
  return channels;
}

bool has_moments(const LinearLayer& layer) {
  return layer.groups == 1 && !layer.transposed && layer.columns() + 1 <= kMostUnknowns;
}

std::vector<double> mean_outputs(const LinearLayer& layer, const std::vector<double>& patch) {
  std::vector<double> means(layer.bias.begin(), layer.bias.end());
  for (std::int64_t o = 0; o < layer.outputs; ++o)
    for (std::size_t i = 0; i < patch.size(); ++i)
      means[static_cast<std::size_t>(o)] +=
          static_cast<double>(layer.weight[static_cast<std::size_t>(o * layer.columns()) + i]) * patch[i];
  return means;
}

void put_matrix(LinearLayer& layer, const Matrix& weights, const std::vector<double>& p, const std::vector<double>& t) {
  for (std::size_t i = 0; i < layer.weight.size(); ++i) layer.weight[i] = static_cast<float>(weights.values[i]);
  if (!layer.can_have_bias) return;
  for (std::int64_t o = 0; o < layer.outputs; ++o) {
    double bias = t[static_cast<std::size_t>(o)];
    for (std::size_t i = 0; i < p.size(); ++i) bias -= weights.row(o)[i] * p[i];
    layer.bias[static_cast<std::size_t>(o)] = static_cast<float>(bias);
  }
}

}  // namespace pare
