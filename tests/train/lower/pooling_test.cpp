#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

/// Both poolings with the same windows.
std::vector<std::string> windows() {
  return {"kernel_shape = [2, 2], strides = [2, 2]",
          "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]",
          "kernel_shape = [3, 2], strides = [2, 1], pads = [0, 1, 1, 0]",
          "kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 1, 1]",
          "kernel_shape = [3, 3], strides = [1, 1], pads = [2, 2, 2, 2]",
          "kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1",
          "kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1",
          "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1",
          "kernel_shape = [3, 3], strides = [3, 3], pads = [1, 1, 1, 1], ceil_mode = 1",
          "kernel_shape = [3, 3], strides = [2, 2], pads = [0, 1, 1, 0], ceil_mode = 1",
          "kernel_shape = [1, 1], strides = [2, 3], ceil_mode = 1",
          "kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"SAME_UPPER\"",
          "kernel_shape = [2, 3], strides = [2, 2], auto_pad = \"SAME_LOWER\"",
          "kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"VALID\"",
          "kernel_shape = [3, 3]"};
}

TEST(LowerPooling, MaxPoolComputesWhatTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 3, 7, 8});
  for (const std::string& window : windows()) check_lowering({"MaxPool<" + window + ">(x)", {x}});
  check_lowerings({{"MaxPool<kernel_shape = [2, 3], dilations = [3, 2], pads = [1, 0, 0, 2]>(x)", {x}},
                   {"MaxPool<kernel_shape = [3, 3], dilations = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1>(x)", {x}},
                   {"MaxPool<kernel_shape = [3], strides = [2], pads = [1, 0]>(x)", {some("x", {2, 3, 9})}},
                   {"MaxPool<kernel_shape = [2, 2, 2], strides = [2, 1, 2]>(x)", {some("x", {1, 2, 4, 5, 5})}},
                   {"MaxPool<kernel_shape = [2, 2, 2], pads = [0, 1, 0, 1, 0, 1]>(x)", {some("x", {1, 2, 3, 4, 4})}}});
  EXPECT_THAT(refusal_of({"MaxPool<kernel_shape = [2, 2]>(x)", {x}, 17, {"float[] y", "int64[] i"}}),
              ::testing::HasSubstr("second output"));
}

TEST(LowerPooling, AveragePoolCountsPadsOrNot) {
  const CaseInput x = some("x", {2, 3, 7, 8});
  for (const std::string& window : windows()) {
    check_lowering({"AveragePool<" + window + ">(x)", {x}});
    check_lowering({"AveragePool<count_include_pad = 1, " + window + ">(x)", {x}, 19});
  }
  check_lowerings(
      {{"AveragePool<kernel_shape = [3], strides = [2], pads = [1, 0]>(x)", {some("x", {2, 3, 9})}},
       {"AveragePool<kernel_shape = [2, 2, 2], pads = [0, 1, 0, 1, 0, 1]>(x)", {some("x", {1, 2, 3, 4, 4})}},
       {"AveragePool<kernel_shape = [2, 3], dilations = [2, 2], pads = [1, 1, 0, 1]>(x)", {x}, 19}});
}

TEST(LowerPooling, GlobalPoolsTakeAnyImage) {
  for (const char* node : {"GlobalAveragePool(x)", "GlobalMaxPool(x)"})
    check_lowerings({{node, {some("x", {2, 3, 4, 5})}}, {node, {some("x", {2, 3, 7})}}});
}

}  // namespace
}  // namespace pare::testing
