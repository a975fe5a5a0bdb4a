// check_dimensions.h - the checks of weights against inputs that onnx's own checker leaves out.
#pragma once

#include "pare/graph.h"

namespace pare {

/// Throws Error(kMalformedModel) naming the node: Conv and ConvTranspose weights against input channels and group,
/// strides, dilations, pads and kernel_shape of the right length, Gemm's inner dimensions and bias,
/// BatchNormalization's vectors, sizes of Split.
void check_dimensions(const Model& model);

}  // namespace pare
