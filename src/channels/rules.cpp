#include "channels/rules.h"

#include <unordered_map>

namespace pare {
namespace {

using Table = std::unordered_map<std::string_view, ChannelRule>;

Table make_table() {
  Table table = {
      {"Conv", flow_convolution},
      {"ConvTranspose", flow_convolution},
      {"Gemm", flow_gemm},
      {"MatMul", flow_matmul},
      {"Reshape", flow_reshape},
      {"Flatten", flow_same_elements},
      {"Squeeze", flow_same_elements},
      {"Unsqueeze", flow_same_elements},
      {"Transpose", flow_transpose},
      {"Expand", flow_expand},
      {"Tile", flow_tile},
      {"Concat", flow_concat},
      {"Pad", flow_pad},
      {"Slice", flow_slice},
      {"Split", flow_split},
      {"Gather", flow_gather},
      {"BatchNormalization", flow_batchnorm},
      {"InstanceNormalization", flow_instancenorm},
      {"GroupNormalization", flow_groupnorm},
      {"LayerNormalization", flow_layernorm},
      {"RMSNormalization", flow_layernorm},
      {"Softmax", flow_softmax},
      {"LogSoftmax", flow_softmax},
      {"LRN", flow_local_response},
      {"Resize", flow_resize},
      {"Upsample", flow_resize},
      {"DepthToSpace", flow_depth_to_space},
      {"SpaceToDepth", flow_space_to_depth},
      {"GridSample", flow_sample},
      {"RoiAlign", flow_sample},
      {"Shape", flow_shape},
      {"Size", flow_shape},
  };
  for (const char* op : {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"})
    table[op] = flow_pool;
  for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                         "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"})
    table[op] = flow_reduce;
  for (const char* op : {"ArgMax", "ArgMin", "CumSum", "TopK", "Hardmax", "LpNormalization"})
    table[op] = flow_along_axis;
  for (const char* op : {"Add",  "Sub",         "Mul",     "Div", "Pow", "Mod", "Max",   "Min",     "Sum",
                         "Mean", "Where",       "PRelu",   "And", "Or",  "Xor", "Equal", "Greater", "GreaterOrEqual",
                         "Less", "LessOrEqual", "BitShift"})
    table[op] = flow_elementwise;
  for (const char* op : {"Relu",     "LeakyRelu",   "Elu",       "Selu",     "Celu",
                         "Sigmoid",  "HardSigmoid", "HardSwish", "Tanh",     "Softplus",
                         "Softsign", "Mish",        "Gelu",      "Swish",    "ThresholdedRelu",
                         "Shrink",   "Clip",        "Erf",       "Exp",      "Log",
                         "Sqrt",     "Reciprocal",  "Neg",       "Abs",      "Floor",
                         "Ceil",     "Round",       "Sign",      "Sin",      "Cos",
                         "Tan",      "Asin",        "Acos",      "Atan",     "Sinh",
                         "Cosh",     "Asinh",       "Acosh",     "Atanh",    "Not",
                         "IsNaN",    "IsInf",       "Cast",      "CastLike", "Identity",
                         "Dropout"})
    table[op] = flow_unary;
  return table;
}

}  // namespace

ChannelRule find_channel_rule(const Node& node) {
  static const Table table = make_table();
  if (node.domain == "com.microsoft" && node.op_type == "FusedConv") return flow_convolution;
  if (!node.domain.empty()) return nullptr;
  const auto entry = table.find(node.op_type);
  return entry == table.end() ? nullptr : entry->second;
}

}  // namespace pare
