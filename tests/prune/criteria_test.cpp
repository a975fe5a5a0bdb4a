#include "prune/criteria.h"

#include <cmath>

#include "budget/small_flow.h"
#include "pare/model_io.h"
#include "prune/filters.h"

namespace pare::testing {
namespace {

Model chain(const std::string& nodes, const std::map<std::string, Tensor>& weights) {
  std::string declared;
  for (const auto& [name, tensor] : weights) {
    std::string dims;
    for (const std::int64_t dim : tensor.shape()) dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    declared += (declared.empty() ? "float[" : ", float[") + dims + "] " + name;
  }
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\" : 17]> net (float[N,1,4,4] x) => (float[] y) <" +
                                declared + "> { " + nodes + " }");
  for (const auto& [name, tensor] : weights) model.graph.initializers.set(name, tensor);
  return model;
}
Tensor tensor(const Shape& shape, std::vector<float> values) {
  values.resize(static_cast<std::size_t>(element_count(shape)), 1.F);
  return Tensor::of<float>(shape, values);
}

/// Filters of 1x1 on one input channel: the weights are the filters.
Model simple() {
  return chain("t = Conv(x, a)\n r = Relu(t)\n y = Conv(r, b)",
               {{"a", tensor({4, 1, 1, 1}, {3, -1, 0.5, -4})}, {"b", tensor({2, 4, 1, 1}, {})}});
}

TEST(Criteria, ScoreByTheSizeOfFilters) {
  const Model model = simple();
  const ChannelFlow flow = SmallFlow::of(model);
  ASSERT_EQ(flow.groups.size(), 1U);
  EXPECT_EQ(class_scores(Criterion::kL1, model, flow, 0), (std::vector<double>{3, 1, 0.5, 4}));
  EXPECT_EQ(class_scores(Criterion::kL2, model, flow, 0), (std::vector<double>{3, 1, 0.5, 4}));
  const std::vector<ErrorCurve> curves = weight_curves(Criterion::kL1, model, flow);
  ASSERT_EQ(curves.size(), 1U);
  const std::vector<ChannelClass>& classes = flow.groups[0].classes;
  EXPECT_EQ(curves[0].order, (RemovedClasses{classes[2], classes[1], classes[0]}));
  const double mean = 8.5 / 4;
  EXPECT_NEAR(curves[0].error[1], 0.5 / mean, 1e-12);
  EXPECT_NEAR(curves[0].error[2], 0.5 / mean + 1 / mean * 8.5 / 8, 1e-12);
  EXPECT_NEAR(curves[0].error[3] - curves[0].error[2], 3 / mean * 8.5 / 7, 1e-12);
}

TEST(Criteria, FpgmFindsTheMostReplaceableFilter) {
  // Not the smallest one but the one in the middle of the others.
  const Model model = chain("t = Conv(x, a)\n y = Conv(t, b)",
                            {{"a", tensor({4, 1, 1, 1}, {0, 2, 2.5, 5})}, {"b", tensor({2, 4, 1, 1}, {})}});
  const ChannelFlow flow = SmallFlow::of(model);
  EXPECT_EQ(class_scores(Criterion::kFpgm, model, flow, 0), (std::vector<double>{9.5, 5.5, 5.5, 10.5}));
}

TEST(Criteria, ABatchNormalizationBehindScalesTheFilters) {
  const Model model = chain("t = Conv(x, a)\n n = BatchNormalization <epsilon = 0.0> (t, g, h, m, v)\n y = Conv(n, b)",
                            {{"a", tensor({2, 1, 1, 1}, {3, 1})},
                             {"g", tensor({2}, {-1, 8})},
                             {"h", tensor({2}, {})},
                             {"m", tensor({2}, {})},
                             {"v", tensor({2}, {4, 4})},
                             {"b", tensor({2, 2, 1, 1}, {})}});
  const ChannelFlow flow = SmallFlow::of(model);
  EXPECT_EQ(class_scores(Criterion::kL1, model, flow, 0), (std::vector<double>{1.5, 4}));
}

TEST(Criteria, LayersThatMakeTheSameChannelsAreJudgedTogether) {
  const Model model =
      chain("s = Conv(x, a)\n u = Conv(x, c)\n t = Add(s, u)\n y = Conv(t, b)", {{"a", tensor({3, 1, 1, 1}, {3, 1, 2})},
                                                                                 {"c", tensor({3, 1, 1, 1}, {0, 4, 2})},
                                                                                 {"b", tensor({2, 3, 1, 1}, {})}});
  const ChannelFlow flow = SmallFlow::of(model);
  ASSERT_EQ(flow.groups.size(), 1U);
  EXPECT_EQ(class_scores(Criterion::kL1, model, flow, 0), (std::vector<double>{3, 5, 4}));
  const std::vector<double> l2 = class_scores(Criterion::kL2, model, flow, 0);
  EXPECT_NEAR(l2[1], std::sqrt(17.0), 1e-12);
}

TEST(Criteria, GroupsOfAnyScaleCompete) {
  // The second layer's weights are a millionth of the first's: its curve is the same.
  const std::vector<float> big = {3, 1, 2, 5}, small = {3e-6F, 1e-6F, 2e-6F, 5e-6F};
  std::vector<float> rows;
  for (const float value : small) rows.insert(rows.end(), 4, value / 4);
  const Model model =
      chain("t = Conv(x, a)\n u = Conv(t, c)\n y = Conv(u, b)",
            {{"a", tensor({4, 1, 1, 1}, big)}, {"c", tensor({4, 4, 1, 1}, rows)}, {"b", tensor({2, 4, 1, 1}, {})}});
  const auto curves = weight_curves(Criterion::kL1, model, SmallFlow::of(model));
  ASSERT_EQ(curves.size(), 2U);
  for (std::size_t n = 0; n < 4; ++n) EXPECT_NEAR(curves[0].error[n], curves[1].error[n], 1e-5);
}

TEST(Criteria, CurvesAreConvexAndIncrease) {
  const Model model = chain("t = Conv(x, a)\n r = Relu(t)\n y = Conv(r, b)",
                            {{"a", tensor({8, 1, 1, 1}, {0, 0, 1, 5, 2, 2, 9, 3})}, {"b", tensor({2, 8, 1, 1}, {})}});
  const ChannelFlow flow = SmallFlow::of(model);
  for (const Criterion criterion : {Criterion::kL1, Criterion::kL2, Criterion::kFpgm, Criterion::kRandom}) {
    const ErrorCurve curve = weight_curves(criterion, model, flow, 7).at(0);
    ASSERT_EQ(curve.error.size(), 8U);
    for (std::size_t n = 1; n < 8; ++n) EXPECT_GT(curve.error[n], curve.error[n - 1]);
    for (std::size_t n = 2; n < 8; ++n)
      EXPECT_GE(curve.error[n] - curve.error[n - 1], curve.error[n - 1] - curve.error[n - 2] - 1e-12);
  }
}

TEST(Criteria, RandomFollowsTheSeed) {
  const Model model = simple();
  const ChannelFlow flow = SmallFlow::of(model);
  EXPECT_EQ(class_scores(Criterion::kRandom, model, flow, 0, 1), class_scores(Criterion::kRandom, model, flow, 0, 1));
  EXPECT_NE(class_scores(Criterion::kRandom, model, flow, 0, 1), class_scores(Criterion::kRandom, model, flow, 0, 2));
}

TEST(Criteria, NamesAndNumbersAreChecked) {
  expect_error([] { (void)parse_criterion("l3"); }, ErrorCode::kInvalidArgument, {"'l3' is no criterion", "fpgm"});
  Model model = simple();
  const ChannelFlow flow = SmallFlow::of(model);
  model.graph.initializers.set("a", tensor({4, 1, 1, 1}, {1, NAN, 1, 1}));
  expect_error([&] { (void)weight_curves(Criterion::kL2, model, flow); }, ErrorCode::kNumeric, {"hold NaN"});
}

TEST(Filters, AreReadFromEveryLayout) {
  const auto filters = [](const std::string& node, const Shape& shape) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < element_count(shape); ++i) values.push_back(static_cast<float>(i));
    Model model = chain(node, {{"w", tensor(shape, values)}});
    return filters_of(model.graph, GraphIndex(model.graph), 0);
  };
  using F = std::vector<std::vector<double>>;
  EXPECT_EQ(filters("y = Conv(x, w)", {2, 2, 1, 2}), (F{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(filters("y = ConvTranspose(x, w)", {2, 2, 1, 2}), (F{{0, 1, 4, 5}, {2, 3, 6, 7}}));
  EXPECT_EQ(filters("y = ConvTranspose <group = 2> (x, w)", {4, 1, 1, 1}), (F{{0, 1}, {2, 3}}));
  EXPECT_EQ(filters("y = Gemm(x, w)", {2, 3}), (F{{0, 3}, {1, 4}, {2, 5}}));
  EXPECT_EQ(filters("y = Gemm <transB = 1> (x, w)", {2, 3}), (F{{0, 1, 2}, {3, 4, 5}}));
  EXPECT_EQ(filters("y = MatMul(x, w)", {2, 2}), (F{{0, 2}, {1, 3}}));
  EXPECT_TRUE(filters("y = Conv(x, x)", {1, 1}).empty());
}

}  // namespace
}  // namespace pare::testing
