#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerConvolution, ConvComputesWhatTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 4, 7, 6}), w = some("w", {6, 4, 3, 3}), b = some("b", {6});
  check_lowerings({
      {"Conv(x, w)", {x, w}},
      {"Conv<pads = [1, 1, 1, 1]>(x, w, b)", {x, w, b}},
      {"Conv<strides = [2, 2], pads = [0, 1, 2, 1]>(x, w, b)", {x, w, b}},
      {"Conv<dilations = [2, 1], pads = [2, 1, 2, 1]>(x, w, b)", {x, w, b}},
      {"Conv<auto_pad = \"SAME_UPPER\", strides = [2, 2]>(x, w)", {x, w}},
      {"Conv<auto_pad = \"SAME_LOWER\", strides = [2, 2]>(x, w)", {x, w}},
      {"Conv<auto_pad = \"VALID\">(x, w)", {x, w}},
      {"Conv<group = 2, pads = [1, 1, 1, 1]>(x, w, b)", {x, some("w", {6, 2, 3, 3}), b}},
      {"Conv<group = 4>(x, w)", {x, some("w", {4, 1, 3, 3})}},
      {"Conv<group = 4, strides = [2, 1], pads = [1, 1, 1, 1]>(x, w)", {x, some("w", {4, 1, 3, 3})}},
      {"Conv<group = 4, pads = [2, 2, 2, 2]>(x, w)", {x, some("w", {4, 1, 5, 5})}},
      {"Conv<group = 4>(x, w)", {x, some("w", {8, 1, 3, 3})}},
      {"Conv<pads = [1, 0]>(x, w)", {some("x", {2, 3, 9}), some("w", {4, 3, 3})}},
      {"Conv(x, w)", {some("x", {1, 2, 4, 4, 4}), some("w", {3, 2, 2, 2, 2})}},
  });
}

TEST(LowerConvolution, ConvTransposeComputesWhatTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 4, 5, 4}), w = some("w", {4, 6, 3, 3}), b = some("b", {6});
  check_lowerings({
      {"ConvTranspose(x, w)", {x, w}},
      {"ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(x, w, b)", {x, w, b}},
      {"ConvTranspose<strides = [2, 2], pads = [0, 1, 1, 0]>(x, w, b)", {x, w, b}},
      {"ConvTranspose<strides = [2, 2], output_shape = [10, 8]>(x, w, b)", {x, w, b}},
      {"ConvTranspose<strides = [2, 2], auto_pad = \"SAME_UPPER\">(x, w)", {x, w}},
      {"ConvTranspose<strides = [2, 2], auto_pad = \"SAME_LOWER\">(x, w)", {x, w}},
      {"ConvTranspose<dilations = [2, 2], group = 2>(x, w)", {x, some("w", {4, 3, 3, 3})}},
  });
}

TEST(LowerConvolution, FusedConvAddsAndActivates) {
  const CaseInput x = some("x", {2, 4, 5, 5}), w = some("w", {6, 4, 3, 3}), b = some("b", {6});
  check_lowerings({
      {"com.microsoft.FusedConv<activation = \"Relu\">(x, w, b)", {x, w, b}},
      {"com.microsoft.FusedConv<activation = \"LeakyRelu\", activation_params = [0.1]>(x, w)", {x, w}},
      {"com.microsoft.FusedConv<activation = \"Clip\", activation_params = [0.0, 1.0]>(x, w, b)", {x, w, b}},
      {"com.microsoft.FusedConv<activation = \"Relu\">(x, w, b, z)", {x, w, b, some("z", {2, 6, 3, 3})}},
  });
}

}  // namespace
}  // namespace pare::testing
