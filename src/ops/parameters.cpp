#include "ops/parameters.h"

#include <algorithm>
#include <array>

#include "ops/macs.h"

namespace pare {
namespace {

/// Operators whose inputs from `first` on steer them and are no weights.
struct Steering {
  std::string_view op;
  std::size_t first;
};
constexpr std::array kSteering = {
    Steering{"Resize", 1},
    Steering{"Upsample", 1},
    Steering{"Clip", 1},
    Steering{"Pad", 1},
    Steering{"Dropout", 1},
    Steering{"QuantizeLinear", 1},
    Steering{"OneHot", 0},
    Steering{"NonMaxSuppression", 2},
    Steering{"Range", 0},
    Steering{"TopK", 1},
    Steering{"RoiAlign", 1},
    Steering{"DequantizeLinear", 1},
    Steering{"BatchNormalization", 3},  // running mean and variance
};
/// Besides convolutions and matrix products: a single number is a parameter here.
constexpr std::array<std::string_view, 6> kTrained = {"BatchNormalization", "InstanceNormalization", "PRelu",
                                                      "LayerNormalization", "GroupNormalization",    "Gather"};

}  // namespace

bool is_parameter(const Node& node, std::size_t input, DType dtype, std::int64_t elements) {
  if (node.is("QLinearConv")) return input == 3 || input == 8;
  if (node.is("QLinearMatMul")) return input == 3;
  const auto product = product_inputs(node);
  if (product && input == product->weight) return true;  // of any type: ConvInteger and MatMulInteger hold int8
  if (!is_float(dtype)) return false;
  for (const Steering& steering : kSteering)
    if (node.is(steering.op) && input >= steering.first) return false;
  if (elements > 1 || has_macs(node)) return true;
  return node.domain.empty() && std::find(kTrained.begin(), kTrained.end(), node.op_type) != kTrained.end();
}

}  // namespace pare
