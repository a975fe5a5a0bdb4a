#include "fit/lockstep.h"

#include <algorithm>

#include "fit/linear_layer.h"
#include "fit/nets.h"
#include "support/support.h"

namespace pare::testing {
namespace {

std::int64_t maker(const Model& model, const std::string& value) { return GraphIndex(model.graph).producer(value); }

TEST(WalkOrder, ShortBranchesComeFirst) {
  // As exporters write it, the shortcut's convolution stands after the body.
  const Model net = random_net(R"(g (float[N,3,8,8] x) => (float[N,3,8,8] y) {
      a = Conv(x, w0)
      b = Relu(a)
      c = Conv(b, w1)
      s = Conv(x, w2)
      y = Add(c, s) })",
                               {{"w0", {3, 3, 1, 1}}, {"w1", {3, 3, 1, 1}}, {"w2", {3, 3, 1, 1}}});
  EXPECT_THAT(walk_order(net.graph), ::testing::ElementsAre(3, 0, 1, 2, 4));
}

/// Both networks at every stop must have the values that they have when they run alone.
void expect_equal_to_full_runs(std::int64_t memory_bytes) {
  const Model dense = residual_net();
  const NamedTensors like = {{"x", random_tensor({1, 3, 8, 8}, 1)}};
  const auto data = random_dataset(like, 37, 5);
  const Trace trace = trace_model(dense, like);
  const std::vector<Stop> stops = {{.node = maker(dense, "a1"), .dense = {"a1"}, .changed = {"s0"}},
                                   {.node = maker(dense, "c1"), .dense = {"t1"}, .changed = {"r1", "s0"}},
                                   {.node = maker(dense, "c2"), .dense = {"t2"}, .changed = {"r2", "s1"}},
                                   {.node = maker(dense, "y"), .dense = {"y"}, .changed = {"f"}}};
  std::vector<std::int64_t> changing;
  for (const Stop& stop : stops) changing.push_back(stop.node);
  Lockstep lockstep(dense, stops, changing, trace.shapes, *data,
                    {.samples = 30, .seed = 3, .batch_bytes = 8 * 12 * 64 * 4, .memory_bytes = memory_bytes});
  EXPECT_EQ(lockstep.samples(), 28);  // four batches of seven
  EXPECT_EQ(lockstep.batches(), 4u);
  std::vector<std::int64_t> indices = sample_indices(37, 30, 3);
  Model changed = dense;
  std::size_t seen = 0;
  while (lockstep.next()) {
    const Stop& stop = stops[lockstep.stop()];
    for (std::size_t b = 0; b < lockstep.batches(); ++b) {
      const NamedTensors inputs = data->batch(std::span(indices).subspan(b * 7, 7)).inputs;
      SessionOptions ask_dense, ask_changed;
      ask_dense.extra_outputs = stop.dense;
      ask_changed.extra_outputs = stop.changed;
      const std::vector<Tensor> d = open_session(dense, ask_dense)->run(inputs);
      const std::vector<Tensor> c = open_session(changed, ask_changed)->run(inputs);
      for (std::size_t i = 0; i < stop.dense.size(); ++i)
        EXPECT_THAT(lockstep.dense(stop.dense[i], b), AllClose(d[i + 1], {.atol = 1e-4, .rtol = 1e-4}));
      for (std::size_t i = 0; i < stop.changed.size(); ++i)
        EXPECT_THAT(lockstep.changed(stop.changed[i], b), AllClose(c[i + 1], {.atol = 1e-4, .rtol = 1e-4}));
      lockstep.rest(b);
    }
    LinearLayer layer = *read_linear_layer(changed.graph, GraphIndex(changed.graph), stop.node).layer;
    for (float& weight : layer.weight) weight *= 0.9F;
    layer.bias[0] += 0.3F;
    write_linear_layer(changed, layer);
    write_linear_layer(lockstep.model(), layer);
    ++seen;
  }
  EXPECT_EQ(seen, stops.size());
  EXPECT_FALSE(lockstep.differs("s0"));
  EXPECT_TRUE(lockstep.differs("s1"));
}

TEST(Lockstep, EqualsFullRuns) { expect_equal_to_full_runs(1 << 30); }

TEST(Lockstep, EqualsFullRunsFromFiles) { expect_equal_to_full_runs(0); }

TEST(Lockstep, TakesNetworksOfAFixedBatch) {
  const Model net =
      random_net("g (float[4,3,8,8] x) => (float[4,3,8,8] y) { a = Conv(x, w) y = Relu(a) }", {{"w", {3, 3, 1, 1}}});
  const NamedTensors like = {{"x", random_tensor({4, 3, 8, 8}, 1)}};
  const auto data = random_dataset({{"x", random_tensor({1, 3, 8, 8}, 1)}}, 11, 5);
  Lockstep lockstep(net, {{.node = 0, .dense = {"a"}, .changed = {"x"}}}, {0}, trace_model(net, like).shapes, *data,
                    {.samples = 11});
  EXPECT_EQ(lockstep.samples(), 8);
  ASSERT_TRUE(lockstep.next());
  EXPECT_EQ(lockstep.dense("a", 1).shape(), (Shape{4, 3, 8, 8}));
  EXPECT_FALSE(lockstep.next());
  EXPECT_EQ(lockstep.stop(), 1u);
}

TEST(ValueStore, SpillsAndGivesBack) {
  ValueStore store(100'000);
  const Tensor a = random_tensor({20000}, 1), b = random_tensor({40000}, 2);
  store.put("a", 0, a);
  store.put("b", 1, b);
  EXPECT_EQ(store.memory_bytes(), 80'000);
  EXPECT_EQ(store.spilled_bytes(), 160'000);
  store.rest("b", 1);
  EXPECT_TRUE(store.get("b", 1).same_as(b));
  store.drop("a");
  store.drop("b", 1);
  EXPECT_EQ(store.memory_bytes() + store.spilled_bytes(), 0);
  expect_error([&] { static_cast<void>(store.get("a", 0)); }, ErrorCode::kInternal, {"'a'"});
}

}  // namespace
}  // namespace pare::testing
