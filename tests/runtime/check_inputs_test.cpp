#include "runtime/check_inputs.h"

#include "support/support.h"

namespace pare::testing {
namespace {

ValueInfo declared(std::vector<Dim> dims) {
  ValueInfo info;
  info.name = "x";
  info.dtype = DType::kFloat32;
  info.shape = std::move(dims);
  return info;
}
Dim number(std::int64_t value) { return {.value = value, .symbol = {}, .denotation = {}}; }
Dim symbol(std::string name) { return {.value = std::nullopt, .symbol = std::move(name), .denotation = {}}; }

TEST(CheckInputs, WritesWhatAModelDeclares) {
  EXPECT_EQ(declared_text(declared({symbol("N"), number(4), symbol(""), symbol("W")})), "[N, 4, ?, W] float32");
  EXPECT_EQ(declared_text(declared({})), "[] float32");
  ValueInfo free = declared({});
  free.shape.reset();
  EXPECT_EQ(declared_text(free), "[...] float32");
}

TEST(CheckInputs, FitsNumbersExactlyAndSymbolsAlways) {
  const ValueInfo info = declared({symbol("N"), number(4), number(-1)});
  EXPECT_TRUE(shape_fits(info, {7, 4, 9}));
  EXPECT_FALSE(shape_fits(info, {7, 5, 9}));
  EXPECT_FALSE(shape_fits(info, {7, 4}));
  EXPECT_TRUE(shape_fits(declared({}), {}));
  EXPECT_FALSE(shape_fits(declared({}), {1}));
}

TEST(CheckInputs, HintsAtSwappedLayouts) {
  const ValueInfo nchw = declared({number(1), number(3), number(32), number(48)});
  const ValueInfo nhwc = declared({number(1), number(32), number(48), number(3)});
  const auto try_shape = [](const ValueInfo& info, Shape shape) {
    return [=] { check_inputs({info}, {{"x", Tensor::zeros(DType::kFloat32, shape)}}); };
  };
  expect_error(try_shape(nchw, {1, 32, 48, 3}), ErrorCode::kInvalidArgument, {"looks like NHWC", "wants NCHW"});
  expect_error(try_shape(nhwc, {1, 3, 32, 48}), ErrorCode::kInvalidArgument, {"looks like NCHW", "wants NHWC"});
  EXPECT_NO_THROW(try_shape(nchw, {1, 3, 32, 48})());
}

TEST(CheckInputs, RefusesAnInputThatIsNoTensor) {
  ValueInfo info = declared({});
  info.opaque_type = "some type";
  expect_error([&] { check_inputs({info}, {{"x", Tensor::zeros(DType::kFloat32, {})}}); }, ErrorCode::kUnsupported,
               {"not a tensor"});
}

}  // namespace
}  // namespace pare::testing
