#include "measure/layer_error.h"

#include <cmath>

#include "measure/fakes.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

using ::testing::ElementsAre;

const char* const kFloat = R"(<ir_version: 8, opset_import: ["" : 17]>
float_net (float[N, 1] x) => (float[N, 1] y) {
  ten = Constant <value = float {10.0}> ()
  a = Mul (x, ten)
  shape = Shape (a)
  b = Relu (a)
  y = Neg (b)
})";

/// The same with a quantized by steps of 4, so that 10 becomes 8 and 30 becomes 32.
const char* const kQuantized = R"(<ir_version: 8, opset_import: ["" : 17]>
quantized_net (float[N, 1] x) => (float[N, 1] y)
<float scale = {4.0}, uint8 zero = {0}>
{
  ten = Constant <value = float {10.0}> ()
  a = Mul (x, ten)
  a_stored = QuantizeLinear (a, scale, zero)
  a_image = DequantizeLinear (a_stored, scale, zero)
  b = Relu (a_image)
  y = Neg (b)
})";

TEST(MatchValues, TakesWhatReadersSeeOfAQuantizedValue) {
  EXPECT_THAT(match_values(model_from_text(kFloat), model_from_text(kQuantized)),
              ElementsAre(ValuePair{"a", "a_image"}, ValuePair{"b", "b"}, ValuePair{"y", "y"}));
}

TEST(MatchValues, LeavesOutWhatTheOtherModelHasNot) {
  const Model other = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 1] x) => (float[N, 1] y) { y = Relu (x) })");
  EXPECT_THAT(match_values(model_from_text(kFloat), other), ElementsAre(ValuePair{"y", "y"}));
}

TEST(MatchValues, AReluThatWentIntoTheQuantizationStandsForItself) {
  const Model reference = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 4] x) => (float[1, 4] y) { h = Neg(x)
      r = Relu(h)
      y = Neg(r) })");
  const Model other = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 4] x) => (float[1, 4] y) <float s = {0.1}, uint8 z = {0}> { h = Neg(x)
      q = QuantizeLinear(h, s, z)
      r = DequantizeLinear(q, s, z)
      y = Neg(r) })");
  EXPECT_THAT(match_values(reference, other),
              ElementsAre(ValuePair{"h", "h"}, ValuePair{"r", "r"}, ValuePair{"y", "y"}));
}

TEST(LayerErrors, AddUpOverAllSamplesAndChunks) {
  const Model a = model_from_text(kFloat), b = model_from_text(kQuantized);
  // Samples 0, 1, 2, 3 give a = 0, 10, 20, 30 and 0, 8, 20, 32 (ties to even: 10 / 4 = 2.5 is 2, 30 / 4 = 7.5 is 8).
  for (const std::int64_t chunk : {1, 2, 100}) {
    LayerErrorOptions options;
    options.values_per_chunk = chunk;
    options.batch_size = 3;
    const auto errors = layer_errors(a, b, match_values(a, b), FakeDataset::unlabelled(4), options);
    ASSERT_EQ(errors.size(), 3U);
    for (const LayerError& error : errors) {
      EXPECT_NEAR(error.snr_db, 10 * std::log10(1400.0 / 8), 1e-9) << error.values.reference;
      EXPECT_EQ(error.max_abs, 2);
      EXPECT_EQ(error.elements, 4);
    }
  }
}

/// Sessions that give, for every wanted value, the tensor of that name.
OpenSession giving(const std::map<std::string, Tensor>& reference, const std::map<std::string, Tensor>& other) {
  return [reference, other](const Model& model, const SessionOptions& options) -> std::unique_ptr<Session> {
    const auto& tensors = model.graph.name == "float_net" ? reference : other;
    std::vector<ValueInfo> outputs = {value("y", {-1, 1})};
    for (const std::string& name : options.extra_outputs) outputs.push_back(value(name, {-1, 1}));
    std::vector<Tensor> results;
    for (const ValueInfo& output : outputs) results.push_back(tensors.at(output.name));
    return std::make_unique<FakeSession>(std::vector<ValueInfo>{value("x", {-1, 1})}, outputs,
                                         [results](const NamedTensors&) { return results; });
  };
}

TEST(LayerErrors, AreSortedWorstFirstAndKnowInfinities) {
  const Model a = model_from_text(kFloat), b = model_from_text(kQuantized);
  const auto one = [](float number) { return Tensor::of<float>({1, 1}, {number}); };
  const auto errors = layer_errors(
      a, b, {{"a", "a_image"}, {"b", "b"}, {"y", "y"}}, FakeDataset::unlabelled(1), {}, silent_progress(),
      giving({{"a", one(1)}, {"b", one(5)}, {"y", one(2)}}, {{"a_image", one(1.5F)}, {"b", one(NAN)}, {"y", one(2)}}));
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[0].values.reference, "b");
  EXPECT_EQ(errors[0].snr_db, -INFINITY);
  EXPECT_EQ(errors[1].values.reference, "a");
  EXPECT_NEAR(errors[1].snr_db, 10 * std::log10(4), 1e-9);
  EXPECT_EQ(errors[2].snr_db, INFINITY);
}

TEST(LayerErrors, RefusesPairsOfDifferentShapeAndValuesThatAreNotThere) {
  const Model a = model_from_text(kFloat), b = model_from_text(kQuantized);
  const Tensor one = Tensor::of<float>({1, 1}, {1}), two = Tensor::of<float>({2, 1}, {1, 1});
  expect_error(
      [&] {
        (void)layer_errors(a, b, {{"a", "a_image"}}, FakeDataset::unlabelled(1), {}, silent_progress(),
                           giving({{"a", one}, {"y", one}}, {{"a_image", two}, {"y", one}}));
      },
      ErrorCode::kInvalidArgument, {"'a' has shape [1, 1]", "'a_image' has [2, 1]"});
  expect_error([&] { (void)layer_errors(a, b, {{"nope", "a"}}, FakeDataset::unlabelled(1)); },
               ErrorCode::kInvalidArgument, {"nope"});
}

}  // namespace
}  // namespace pare::testing
