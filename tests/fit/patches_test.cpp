#include "fit/patches.h"

#include "fit/nets.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

LinearLayer layer_of(const Model& model) {
  const ReadLayer read = read_linear_layer(model.graph, GraphIndex(model.graph), 0);
  EXPECT_EQ(read.reason, "");
  return *read.layer;
}

/// W p + b from gathered patches must be what the runtime makes at those positions.
void expect_same_as_runtime(const Model& model, const Shape& input_shape) {
  const LinearLayer layer = layer_of(model);
  const Tensor input = random_tensor(input_shape, 3);
  const Tensor output = open_session(model, {})->run({{"x", input}})[0];
  const std::vector<std::int64_t> positions = sample_positions(position_count(layer, output.shape()), 50, 7);
  std::vector<std::int64_t> channels;
  for (std::int64_t c = 0; c < layer.inputs; ++c) channels.push_back(c);
  const std::int64_t width = layer.columns() + 1;
  std::vector<float> patches(positions.size() * static_cast<std::size_t>(width));
  std::vector<float> wanted(positions.size() * static_cast<std::size_t>(layer.outputs)), got;
  gather_patches(layer, channels, input, output.shape(), positions, true, patches.data());
  add_outputs(layer, output, positions, 1, wanted.data());
  for (std::size_t row = 0; row < positions.size(); ++row)
    for (std::int64_t o = 0; o < layer.outputs; ++o) {
      double sum = 0;
      for (std::int64_t c = 0; c < width; ++c) {
        const float weight = c + 1 < width ? layer.weight[static_cast<std::size_t>(o * layer.columns() + c)]
                                           : layer.bias[static_cast<std::size_t>(o)];
        sum += static_cast<double>(weight) *
               static_cast<double>(patches[row * static_cast<std::size_t>(width) + static_cast<std::size_t>(c)]);
      }
      got.push_back(static_cast<float>(sum));
    }
  EXPECT_THAT(got, AllClose(wanted, {.atol = 1e-5, .rtol = 1e-5}));
}

TEST(Patches, OfAConvolutionWithStridesDilationsAndUnevenPads) {
  expect_same_as_runtime(random_net(R"(g (float[N,3,9,11] x) => (float[N,4,A,B] y) {
      y = Conv<strides = [2,1], dilations = [1,2], pads = [1,0,2,3]>(x, w, b) })",
                                    {{"w", {4, 3, 3, 2}}, {"b", {4}}}),
                         {2, 3, 9, 11});
}

TEST(Patches, OfAutomaticPads) {
  for (const char* pad : {"SAME_UPPER", "SAME_LOWER", "VALID"})
    expect_same_as_runtime(random_net(std::string("g (float[N,3,8,7] x) => (float[N,4,A,B] y) { y = "
                                                  "Conv<strides = [2,2], auto_pad = \"") +
                                          pad + "\">(x, w) }",
                                      {{"w", {4, 3, 4, 3}}}),
                           {2, 3, 8, 7});
}

TEST(Patches, InOneAndThreeDimensions) {
  expect_same_as_runtime(random_net("g (float[N,3,12] x) => (float[N,4,A] y) { y = Conv<pads = [2,1]>(x, w, b) }",
                                    {{"w", {4, 3, 5}}, {"b", {4}}}),
                         {3, 3, 12});
  expect_same_as_runtime(
      random_net("g (float[N,2,5,6,4] x) => (float[N,3,A,B,C] y) { y = Conv<pads = [1,1,1,1,1,1]>(x, w) }",
                 {{"w", {3, 2, 3, 3, 3}}}),
      {2, 2, 5, 6, 4});
}

TEST(Patches, OfMatrixProducts) {
  expect_same_as_runtime(
      random_net("g (float[N,6] x) => (float[N,4] y) { y = Gemm<transB = 1>(x, w, b) }", {{"w", {4, 6}}, {"b", {4}}}),
      {9, 6});
  expect_same_as_runtime(random_net("g (float[N,6] x) => (float[N,4] y) { y = Gemm(x, w) }", {{"w", {6, 4}}}), {9, 6});
  Model product = random_net("g (float[N,5,6] x) => (float[N,5,4] y) { m = MatMul(x, w) y = Add(b, m) }",
                             {{"w", {6, 4}}, {"b", {4}}});
  expect_same_as_runtime(product, {2, 5, 6});
}

TEST(Patches, SkipChannels) {
  const Model model =
      random_net("g (float[N,3,4,4] x) => (float[N,2,4,4] y) { y = Conv(x, w) }", {{"w", {2, 3, 1, 1}}});
  const LinearLayer layer = layer_of(model);
  const Tensor input = random_tensor({1, 3, 4, 4}, 3);
  const std::vector<std::int64_t> channels = {2, 0}, positions = {0, 5};
  std::vector<float> rows(4);
  gather_patches(layer, channels, input, {1, 2, 4, 4}, positions, false, rows.data());
  const auto x = input.data<float>();
  EXPECT_THAT(rows, ::testing::ElementsAre(x[32], x[0], x[37], x[5]));
}

TEST(SamplePositions, AreSpreadDistinctAndTheSameForASeed) {
  const std::vector<std::int64_t> some = sample_positions(1000, 37, 5);
  ASSERT_EQ(some.size(), 37u);
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_GE(some[i], static_cast<std::int64_t>(i) * 1000 / 37);
    EXPECT_LT(some[i], static_cast<std::int64_t>(i + 1) * 1000 / 37);
  }
  EXPECT_EQ(some, sample_positions(1000, 37, 5));
  EXPECT_NE(some, sample_positions(1000, 37, 6));
  EXPECT_EQ(sample_positions(4, 10, 1), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace pare::testing
