// split_layer.h - a layer of the graph becomes two or three.
#pragma once

#include <string>
#include <vector>

#include "factorize/low_rank.h"

namespace pare {

struct SplitLayer {
  LinearLayer layer;  ///< with the weight and the bias that the product has
  Fold fold;
  Factors factors;
};

/// `model` has the layers whole, `layer.weight` being the product of the factors. Strides, pads and dilations go to the
/// factor whose kernel runs along that axis, the bias to the last one, which keeps the node's name and output.
[[nodiscard]] Model split_layers(const Model& model, const std::vector<SplitLayer>& splits);

}  // namespace pare
