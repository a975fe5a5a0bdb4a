#include <algorithm>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

std::vector<ValueInfo> inputs_of(const std::string& list) {
  return model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]> g ()" + list +
                         ") => (float[2] y) { y = Constant <value_floats = [1.0, 2.0]> () }")
      .graph.inputs;
}

TEST(RandomInputs, FillsInOpenDimensions) {
  const std::vector<ValueInfo> inputs = inputs_of(
      "float[N, 3, H, W] a, float[N, C, H, W] b, float[N, H, W, 4] c, "
      "float[K] d, float e, int64[2, T] f, float[2, N, 8] g");
  const NamedTensors tensors = random_inputs(inputs, {.batch = 2, .image_size = 9});
  EXPECT_EQ(tensors.at("a").shape(), (Shape{2, 3, 9, 9}));
  EXPECT_EQ(tensors.at("b").shape(), (Shape{2, 3, 9, 9}));
  EXPECT_EQ(tensors.at("c").shape(), (Shape{2, 9, 9, 4}));
  EXPECT_EQ(tensors.at("d").shape(), Shape{2});
  EXPECT_EQ(tensors.at("e").shape(), Shape{});
  EXPECT_EQ(tensors.at("f").shape(), (Shape{2, 9}));
  EXPECT_EQ(tensors.at("g").shape(), (Shape{2, 2, 8})) << "N is the batch of the other inputs";
  EXPECT_EQ(random_inputs(inputs).at("a").shape(), (Shape{1, 3, 224, 224}));
}

TEST(RandomInputs, StaysInRangeForEveryType) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16}) {
    std::vector<ValueInfo> inputs = inputs_of("float[5000] x");
    inputs[0].dtype = dtype;
    const std::vector<float> values = random_inputs(inputs).at("x").to_floats();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    EXPECT_GE(*low, 0) << dtype_name(dtype);
    EXPECT_LT(*low, 0.01) << dtype_name(dtype);
    EXPECT_LT(*high, 1) << dtype_name(dtype);
    EXPECT_GT(*high, 0.99) << dtype_name(dtype);
  }
  for (const DType dtype : {DType::kUint8, DType::kInt8, DType::kInt32, DType::kInt64, DType::kBool, DType::kUint16}) {
    std::vector<ValueInfo> inputs = inputs_of("float[100] x");
    inputs[0].dtype = dtype;
    const std::vector<std::int64_t> values = random_inputs(inputs).at("x").to_int64s();
    EXPECT_EQ(*std::min_element(values.begin(), values.end()), 0) << dtype_name(dtype);
    EXPECT_EQ(*std::max_element(values.begin(), values.end()), 1) << dtype_name(dtype);
  }
}

TEST(RandomInputs, SameSeedSameNumbers) {
  const std::vector<ValueInfo> inputs = inputs_of("float[10] x");
  EXPECT_TRUE(random_inputs(inputs, {.seed = 3}).at("x").same_as(random_inputs(inputs, {.seed = 3}).at("x")));
  EXPECT_FALSE(random_inputs(inputs, {.seed = 3}).at("x").same_as(random_inputs(inputs, {.seed = 4}).at("x")));
}

TEST(RandomInputs, TakesGivenShapesAndRefusesWrongOnes) {
  const std::vector<ValueInfo> inputs = inputs_of("float[N, 3, H, W] image");
  EXPECT_EQ(random_inputs(inputs, {.shapes = {{"image", {4, 3, 7, 5}}}}).at("image").shape(), (Shape{4, 3, 7, 5}));
  expect_error([&] { (void)random_inputs(inputs, {.shapes = {{"image", {4, 1, 7, 5}}}}); }, ErrorCode::kInvalidArgument,
               {"[4, 1, 7, 5]", "[N, 3, H, W] float32"});
  expect_error([&] { (void)random_inputs(inputs, {.shapes = {{"imgae", {4, 3, 7, 5}}}}); }, ErrorCode::kInvalidArgument,
               {"'imgae'", "'image'"});
}

TEST(RandomInputs, RefusesWhatItCannotMake) {
  std::vector<ValueInfo> inputs = inputs_of("float[3] x");
  inputs[0].shape.reset();
  expect_error([&] { (void)random_inputs(inputs); }, ErrorCode::kInvalidArgument, {"'x' declares no shape"});
  inputs = inputs_of("string[3] x");
  expect_error([&] { (void)random_inputs(inputs); }, ErrorCode::kUnsupported, {"'x' is [3] string"});
}

}  // namespace
}  // namespace pare::testing
