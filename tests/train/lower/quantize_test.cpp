#include <ATen/ATen.h>

#include "train/lower/lower.h"
#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

CaseInput bytes(std::string name, const std::vector<std::uint8_t>& values) {
  return given(std::move(name), Tensor::of({static_cast<std::int64_t>(values.size())}, values));
}
CaseInput chars(std::string name, const std::vector<std::int8_t>& values) {
  return given(std::move(name), Tensor::of({static_cast<std::int64_t>(values.size())}, values));
}

LowerCase rounding(std::string node, std::vector<CaseInput> inputs, std::vector<std::string> outputs) {
  return {.node = std::move(node),
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .gradient = false,
          .bfloat16 = false,
          .integers_as_floats = true};
}

TEST(LowerQuantize, QuantizesAsTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 3, 4, 5}, -3, 3), scale = scalar("s", 0.02F);
  check_lowerings(
      {rounding("QuantizeLinear(x, s, z)", {x, scale, given("z", Tensor::scalar<std::uint8_t>(120))}, {"uint8[] y"}),
       rounding("QuantizeLinear(x, s, z)", {x, scale, given("z", Tensor::scalar<std::int8_t>(-3))}, {"int8[] y"}),
       rounding("QuantizeLinear(x, s)", {x, scale}, {"uint8[] y"}),
       rounding("QuantizeLinear<axis = 1>(x, s, z)", {x, floats("s", {0.1F, 0.02F, 0.5F}), chars("z", {0, 3, -5})},
                {"int8[] y"}),
       rounding("QuantizeLinear<axis = -1>(x, s, z)",
                {x, floats("s", {0.1F, 0.02F, 0.5F, 1, 2}), bytes("z", {1, 2, 3, 4, 5})}, {"uint8[] y"})});
}

TEST(LowerQuantize, DequantizesAsTheRuntimeDoes) {
  const CaseInput levels = {"x", Tensor::of<std::int8_t>({2, 3}, {-128, 127, 0, 1, 2, 3})};
  const CaseInput sums = {"x", Tensor::of<std::int32_t>({3}, {-100000, 70000, 5})};
  check_lowerings(
      {{"DequantizeLinear(x, s, z)", {levels, scalar("s", 0.02F), given("z", Tensor::scalar<std::int8_t>(-3))}},
       {"DequantizeLinear(x, s)", {levels, scalar("s", 0.02F)}},
       {"DequantizeLinear(x, s, z)", {levels, floats("s", {0.1F, 0.02F, 0.5F}), chars("z", {0, 3, -5})}},
       {"DequantizeLinear<axis = 0>(x, s)", {levels, floats("s", {0.1F, 0.02F})}},
       {"DequantizeLinear<axis = 0>(x, s)", {sums, floats("s", {0.1F, 0.02F, 0.5F})}}});
}

TEST(LowerQuantize, GradientsPassStraightThroughInsideTheRange) {
  Node quantize, dequantize;
  quantize.op_type = "QuantizeLinear";
  dequantize.op_type = "DequantizeLinear";
  const at::Tensor scale = at::tensor({0.1F}).reshape({}), zero = at::zeros({}, at::kChar);
  at::Tensor x = at::tensor({0.26F, -12.0F, -12.9F, 12.75F, 0.0F}).set_requires_grad(true);
  const at::Tensor level = all_lowerings().find(quantize)->make({quantize, 17})(std::vector{x, scale, zero}, {})[0];
  const at::Tensor y = all_lowerings().find(dequantize)->make({dequantize, 17})(std::vector{level, scale, zero}, {})[0];
  EXPECT_TRUE(at::allclose(y, at::tensor({0.3F, -12.0F, -12.8F, 12.7F, 0.0F})));
  y.sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), at::tensor({1.0F, 1.0F, 0.0F, 0.0F, 1.0F})));
}

}  // namespace
}  // namespace pare::testing
