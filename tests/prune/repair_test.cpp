#include "prune/repair.h"

#include <algorithm>
#include <set>

#include "fit/nets.h"
#include "fit/output_error.h"
#include "prune/error_curves.h"
#include "support/support.h"

namespace pare::testing {
namespace {

struct Case {
  Model net;
  NamedTensors like;
  ChannelFlow flow;
  std::unique_ptr<Dataset> data;
};

Case make_case(Model net, const Shape& shape, std::int64_t samples = 60) {
  Case c{.net = std::move(net), .like = {{"x", random_tensor(shape, 1)}}, .flow = {}, .data = nullptr};
  c.flow = trace_channels(c.net, c.like);
  c.data = random_dataset(c.like, samples, 5);
  return c;
}

std::vector<GroupCut> cut_all(const Case& c, double share) {
  std::vector<GroupCut> cuts;
  for (const ErrorCurve& curve : error_curves(c.net, c.flow, *c.data, {.samples = 60, .measured_samples = 0}).local) {
    const auto remove = static_cast<std::int64_t>(share * static_cast<double>(curve.order.size()));
    cuts.push_back({.group = curve.group, .remove = remove, .order = curve.order});
  }
  return cuts;
}

double error_of(const Case& c, const Model& model) { return OutputError(c.net, *c.data, 60, 9, {}).of(model); }

TEST(Repair, RemovedChannelsAreReadByNobodyAndTheOutputIsNearer) {
  const Case c = make_case(residual_net(), {1, 3, 8, 8});
  const std::vector<GroupCut> cuts = cut_all(c, 0.34);
  const RepairResult result = prune_and_repair(c.net, c.flow, cuts, *c.data, {.samples = 60});
  std::size_t wanted = 0;
  for (const GroupCut& cut : cuts) wanted += static_cast<std::size_t>(cut.remove);
  EXPECT_EQ(result.removed.size(), wanted);
  EXPECT_EQ(std::set<ChannelClass>(result.removed.begin(), result.removed.end()).size(), wanted);
  const Tensor input = random_tensor({3, 3, 8, 8}, 77);
  const Tensor plain = open_session(result.model, {})->run({{"x", input}})[0];
  // A mask before the consumers changes nothing, and neither does the cut.
  const Tensor masked = open_session(mask_channels(result.model, c.flow, result.removed), {})->run({{"x", input}})[0];
  const Tensor cut = open_session(remove_channels(result.model, c.flow, result.removed), {})->run({{"x", input}})[0];
  EXPECT_THAT(masked, AllClose(plain, {.atol = 1e-5}));
  EXPECT_THAT(cut, AllClose(plain, {.atol = 1e-4}));
  const Model unrepaired = mask_channels(c.net, c.flow, result.removed);
  EXPECT_LT(error_of(c, result.model), 0.5 * error_of(c, unrepaired));
  for (const LayerRepair& layer : result.layers) EXPECT_LE(layer.error_after, layer.error_before) << layer.label;
}

TEST(Repair, NothingRemovedIsTheModelItself) {
  const Case c = make_case(residual_net(), {1, 3, 8, 8}, 10);
  const RepairResult result = prune_and_repair(c.net, c.flow, {}, *c.data, {.samples = 10});
  EXPECT_TRUE(result.removed.empty());
  EXPECT_TRUE(result.layers.empty());
  for (const Initializers::Entry& entry : c.net.graph.initializers)
    EXPECT_TRUE(result.model.graph.initializers.find(entry.name)->same_as(entry.tensor));
}

TEST(Repair, AnEarlierChangeIsMadeGoodBehind) {
  // Only the first block loses channels; the second and the classifier are refitted to what comes out of it.
  const Case c = make_case(residual_net(), {1, 3, 8, 8});
  std::vector<GroupCut> cuts = cut_all(c, 0.5);
  std::erase_if(cuts, [&](const GroupCut& cut) {
    const ChannelGroup& group = c.flow.groups[static_cast<std::size_t>(cut.group)];
    return group.consumers.size() != 1 || group.name.find("a1") == std::string::npos;
  });
  ASSERT_EQ(cuts.size(), 1u);
  const RepairResult result = prune_and_repair(c.net, c.flow, cuts, *c.data, {.samples = 60});
  EXPECT_EQ(result.layers.size(), 4u);
  EXPECT_TRUE(result.notes.empty());
}

TEST(Repair, TheLayerBeforeADroppedBlockStandsInForIt) {
  const Case c = make_case(residual_net(), {1, 3, 8, 8});
  const GraphIndex index(c.net.graph);
  const DropCandidate drop{.add = index.producer("t2"),
                           .shortcut = "s1",
                           .body = {index.producer("a2"), index.producer("r2"), index.producer("c2")},
                           .groups = {}};
  ASSERT_TRUE(can_silence(c.net, c.flow, drop));
  const RepairResult result = prune_and_repair(c.net, c.flow, {}, *c.data, {.samples = 60, .drops = {drop}});
  std::vector<std::int64_t> fitted;
  for (const LayerRepair& layer : result.layers) fitted.push_back(layer.node);
  EXPECT_THAT(fitted, ::testing::ElementsAre(index.producer("c1"), index.producer("y")));
  Model silenced = c.net;
  silenced.graph.initializers.set("w4", Tensor::zeros(DType::kFloat32, {8, 12, 3, 3}));
  EXPECT_TRUE(result.model.graph.initializers.find("w4")->same_as(*silenced.graph.initializers.find("w4")));
  EXPECT_LT(error_of(c, result.model), 0.3 * error_of(c, silenced));
}

TEST(Repair, OfDepthwiseAndGatedNetworks) {
  const Case c = make_case(random_net(R"(g (float[N,3,8,8] x) => (float[N,5] y) {
      s = Conv<pads = [1,1,1,1]>(x, w0, b0)
      s0 = Relu(s)
      e = Conv(s0, w1, b1)
      e1 = Sigmoid(e)
      d = Conv<group = 16, pads = [1,1,1,1]>(e1, w2, b2)
      d1 = Relu(d)
      q = GlobalAveragePool(d1)
      q1 = Conv(q, w3, b3)
      q2 = Relu(q1)
      q3 = Conv(q2, w4, b4)
      q4 = Sigmoid(q3)
      m = Mul(d1, q4)
      p = Conv(m, w5, b5)
      t = Add(p, s0)
      g1 = GlobalAveragePool(t)
      f = Flatten(g1)
      y = Gemm(f, w6, b6)
    })",
                                      {{"w0", {8, 3, 3, 3}},
                                       {"b0", {8}},
                                       {"w1", {16, 8, 1, 1}},
                                       {"b1", {16}},
                                       {"w2", {16, 1, 3, 3}},
                                       {"b2", {16}},
                                       {"w3", {4, 16, 1, 1}},
                                       {"b3", {4}},
                                       {"w4", {16, 4, 1, 1}},
                                       {"b4", {16}},
                                       {"w5", {8, 16, 1, 1}},
                                       {"b5", {8}},
                                       {"w6", {8, 5}},
                                       {"b6", {5}}}),
                           {1, 3, 8, 8});
  const RepairResult result = prune_and_repair(c.net, c.flow, cut_all(c, 0.25), *c.data, {.samples = 60});
  EXPECT_FALSE(result.removed.empty());
  EXPECT_LT(error_of(c, result.model), error_of(c, mask_channels(c.net, c.flow, result.removed)));
  const Tensor input = random_tensor({3, 3, 8, 8}, 77);
  EXPECT_THAT(open_session(remove_channels(result.model, c.flow, result.removed), {})->run({{"x", input}})[0],
              AllClose(open_session(result.model, {})->run({{"x", input}})[0], {.atol = 1e-4}));
}

TEST(Repair, FewSamplesDoNoHarm) {
  const Case c = make_case(random_net(R"(g (float[N,20] x) => (float[N,5] y) {
      a = Gemm(x, w0)
      b = Relu(a)
      y = Gemm(b, w1) })",
                                      {{"w0", {20, 60}}, {"w1", {60, 5}}}),
                           {1, 20}, 400);
  const std::vector<GroupCut> cuts = cut_all(c, 0.5);
  ASSERT_EQ(cuts.size(), 1u);
  const RepairResult result = prune_and_repair(c.net, c.flow, cuts, *c.data, {.samples = 40});
  EXPECT_LT(error_of(c, result.model), error_of(c, mask_channels(c.net, c.flow, result.removed)));
}

TEST(Repair, RefusesWhatCannotGo) {
  const Case c = make_case(residual_net(), {1, 3, 8, 8}, 10);
  const std::vector<GroupCut> cuts = cut_all(c, 0.5);
  const auto run = [&](const GroupCut& cut) {
    static_cast<void>(prune_and_repair(c.net, c.flow, {cut}, *c.data, {.samples = 10}));
  };
  expect_error([&] { run({.group = 99, .remove = 1}); }, ErrorCode::kInvalidArgument, {"no channel group 99"});
  expect_error([&] { run({.group = cuts[0].group, .remove = 1000}); }, ErrorCode::kInvalidArgument, {"must stay"});
  for (std::size_t g = 0; g < c.flow.groups.size(); ++g)
    if (!c.flow.groups[g].frozen.empty())
      expect_error([&] { run({.group = static_cast<std::int64_t>(g), .remove = 1}); }, ErrorCode::kInvalidArgument,
                   {"cannot go"});
}

}  // namespace
}  // namespace pare::testing
