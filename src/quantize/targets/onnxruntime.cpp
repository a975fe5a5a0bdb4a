// ONNX Runtime's CPU provider. A node runs on integers only where the runtime's optimizer finds the whole pattern
// DQ -> node -> Q (onnxruntime/core/optimizer/qdq_transformer); anything less runs in float between conversions.
#include "quantize/targets/target.h"

namespace pare {

const Target& onnxruntime_target() {
  static constexpr OpRule kRules[] = {
      {.op = "Conv", .role = Role::kAnchor},
      {.op = "ConvTranspose", .role = Role::kFloat, .why = "ONNX Runtime has no integer ConvTranspose on the CPU"},
      {.op = "Gemm", .role = Role::kAnchor, .needs_output_q = false, .declines = declines_transposed_input},
      {.op = "MatMul", .role = Role::kAnchor, .needs_output_q = false},
      {.op = "Add", .role = Role::kFollower},
      {.op = "Mul", .role = Role::kFollower},
      {.op = "Concat", .role = Role::kFollower},
      {.op = "AveragePool", .role = Role::kFollower, .shrinks = true},
      {.op = "GlobalAveragePool", .role = Role::kFollower, .shrinks = true},
      {.op = "LeakyRelu", .role = Role::kFollower},
      {.op = "Sigmoid", .role = Role::kFollower},
      {.op = "MaxPool", .role = Role::kPassThrough, .shrinks = true},
      {.op = "Reshape", .role = Role::kPassThrough, .hoists = true},
      {.op = "Flatten", .role = Role::kPassThrough, .hoists = true},
      {.op = "Squeeze", .role = Role::kPassThrough, .hoists = true},
      {.op = "Unsqueeze", .role = Role::kPassThrough, .hoists = true},
      {.op = "Transpose", .role = Role::kPassThrough, .hoists = true},
      {.op = "Slice", .role = Role::kPassThrough},
      {.op = "Split", .role = Role::kPassThrough},
      {.op = "Gather", .role = Role::kPassThrough},
      {.op = "Pad",
       .role = Role::kPassThrough,
       .hoists = true,
       .on_stored = true,
       .declines = declines_unless_constant_pad},
      {.op = "Resize", .role = Role::kPassThrough, .hoists = true, .declines = declines_unless_nearest},
      {.op = "Relu", .role = Role::kClamp},
      {.op = "Clip", .role = Role::kClamp},
      {.op = "Softmax", .role = Role::kFloat, .why = "probabilities need more than 256 steps"},
      {.op = "DepthToSpace", .role = Role::kFloat, .why = "ONNX Runtime has no integer DepthToSpace"},
      {.op = "BatchNormalization",
       .role = Role::kFloat,
       .why = "batch normalization that was not folded into a convolution splits the integer region"},
  };
  static constexpr Target kTarget{.name = "onnxruntime", .rules = kRules, .clamps_vanish = true};
  return kTarget;
}

}  // namespace pare
