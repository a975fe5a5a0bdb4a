// The table's predictions against the clock.
#include "budget/latency_table.h"

#include <chrono>

#include "budget/choose_widths.h"
#include "pare/model_io.h"
#include "prune/criteria.h"
#include "prune/drop_block.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(LatencyTableTimed, PredictsWhatCutNetworksTake) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Model model = load_model(shared / "models/cifar10_resnet56.onnx");
  const ChannelFlow flow = trace_channels(model, probe_inputs(model));
  const std::vector<ErrorCurve> curves = weight_curves(Criterion::kL2, model, flow);
  std::vector<DropCandidate> drops = find_drop_candidates(model, flow);
  ASSERT_EQ(drops.size(), 25U);
  const auto start = std::chrono::steady_clock::now();
  const LatencyTable table = measure_latency(model, flow, curves, drops);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 40);
  for (DropCandidate& drop : drops) drop.error = 20;
  const auto baseline = open_session(model);
  baseline->bind(*flow.inputs);
  for (const double keep : {0.8, 0.6}) {
    WidthOptions options;
    options.keep = keep;
    options.limits.align = 8;
    const WidthPlan plan = choose_widths(flow, curves, drops, table.cost, options);
    ASSERT_TRUE(plan.reached) << plan.note;
    std::vector<DropCandidate> taken;
    for (std::size_t d = 0; d < drops.size(); ++d)
      if (plan.widths.dropped[d]) taken.push_back(drops[d]);
    const Model cut = remove_channels(model, flow, removed_classes(plan.widths, curves, drops));
    const Model small = drop_blocks(cut, taken);
    const auto session = open_session(small);
    session->bind(*flow.inputs);
    const SpeedComparison speed = compare_speed(*baseline, *session);
    // Other programs share the machine of the tests.
    EXPECT_NEAR(1 / speed.ratio, plan.got / plan.before, 0.15);
  }
}

}  // namespace
}  // namespace pare::testing
