// OpenVINO's CPU plugin. Q and DQ become FakeQuantize; its low-precision passes ask for 8-bit inputs only, give float
// or 8 bits as the reader wants, and let every operand of a sum or a concatenation keep its own scale.
#include "quantize/targets/target.h"

namespace pare {

const Target& openvino_target() {
  static constexpr OpRule kRules[] = {
      {.op = "Conv", .role = Role::kAnchor, .needs_output_q = false},
      {.op = "ConvTranspose", .role = Role::kAnchor, .needs_output_q = false},
      {.op = "Gemm", .role = Role::kAnchor, .needs_output_q = false, .declines = declines_transposed_input},
      {.op = "MatMul", .role = Role::kAnchor, .needs_output_q = false},
      {.op = "Add", .role = Role::kFollower, .needs_output_q = false},
      {.op = "Mul", .role = Role::kFollower, .needs_output_q = false},
      {.op = "Concat", .role = Role::kFollower, .needs_output_q = false},
      {.op = "AveragePool", .role = Role::kFollower, .needs_output_q = false, .shrinks = true},
      {.op = "GlobalAveragePool", .role = Role::kFollower, .needs_output_q = false, .shrinks = true},
      {.op = "MaxPool", .role = Role::kPassThrough, .shrinks = true},
      {.op = "Reshape", .role = Role::kPassThrough, .hoists = true},
      {.op = "Flatten", .role = Role::kPassThrough, .hoists = true},
      {.op = "Squeeze", .role = Role::kPassThrough, .hoists = true},
      {.op = "Unsqueeze", .role = Role::kPassThrough, .hoists = true},
      {.op = "Transpose", .role = Role::kPassThrough, .hoists = true},
      {.op = "DepthToSpace", .role = Role::kPassThrough, .hoists = true},
      {.op = "Slice", .role = Role::kPassThrough},
      {.op = "Split", .role = Role::kPassThrough},
      {.op = "Gather", .role = Role::kPassThrough},
      {.op = "Pad", .role = Role::kPassThrough, .hoists = true, .declines = declines_unless_constant_pad},
      {.op = "Resize", .role = Role::kPassThrough, .hoists = true, .declines = declines_unless_nearest},
      {.op = "Relu", .role = Role::kClamp},
      {.op = "Clip", .role = Role::kClamp},
      {.op = "Softmax", .role = Role::kFloat, .why = "probabilities need more than 256 steps"},
      {.op = "BatchNormalization",
       .role = Role::kFloat,
       .why = "batch normalization that was not folded into a convolution splits the integer region"},
  };
  static constexpr Target kTarget{.name = "openvino", .rules = kRules};
  return kTarget;
}

}  // namespace pare
