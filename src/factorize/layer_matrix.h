// layer_matrix.h - a layer's weights as the matrix that low rank works on, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "fit/linear_layer.h"
#include "fit/matrix.h"

namespace pare {

[[nodiscard]] Matrix layer_matrix(const LinearLayer& layer);
[[nodiscard]] std::vector<std::int64_t> all_channels(const LinearLayer& layer);
/// False for wider layers (their moments would fill the memory), several groups and transposed convolutions: they are
/// factorized by their weights alone.
[[nodiscard]] bool has_moments(const LinearLayer& layer);
/// What the layer makes of the mean patch.
[[nodiscard]] std::vector<double> mean_outputs(const LinearLayer& layer, const std::vector<double>& patch);
/// Sets weights, and the bias (if there can be one) so that the mean patch `p` gives `t`.
void put_matrix(LinearLayer& layer, const Matrix& weights, const std::vector<double>& p, const std::vector<double>& t);

}  // namespace pare
