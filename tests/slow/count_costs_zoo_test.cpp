// MACs, parameters and bytes that the budget counts against those of the really cut networks, all real ones.
#include "budget/count_costs.h"

#include "core/random.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

std::vector<ErrorCurve> plain_curves(const ChannelFlow& flow, Rng& rng) {
  std::vector<ErrorCurve> curves;
  for (std::size_t g = 0; g < flow.groups.size(); ++g) {
    if (!flow.groups[g].frozen.empty() || flow.groups[g].classes.size() < 2) continue;
    ErrorCurve curve{.group = static_cast<std::int64_t>(g), .order = flow.groups[g].classes};
    for (std::size_t i = curve.order.size(); i > 1; --i)
      std::swap(curve.order[i - 1], curve.order[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(i)))]);
    curve.order.pop_back();
    curve.error.assign(curve.order.size() + 1, 0);
    curves.push_back(std::move(curve));
  }
  return curves;
}

void compare(const Model& model, int& networks) {
  NamedTensors inputs;
  ChannelFlow flow;
  try {
    inputs = probe_inputs(model);
    flow = trace_channels(model, inputs);
  } catch (const Error&) {
    return;  // does not run here at all
  }
  Rng rng(1);
  const std::vector<ErrorCurve> curves = plain_curves(flow, rng);
  if (curves.empty()) return;
  ++networks;
  const Cost macs = count_costs(CostKind::kMacs, model, flow, curves);
  const Cost parameters = count_costs(CostKind::kParameters, model, flow, curves);
  const Cost bytes = count_costs(CostKind::kBytes, model, flow, curves);
  for (int trial = 0; trial < 2; ++trial) {
    Widths widths = full_widths(flow, {});
    for (const ErrorCurve& curve : curves)
      widths.removed[static_cast<std::size_t>(curve.group)] =
          rng.below(static_cast<std::int64_t>(curve.order.size()) + 1);
    const Model cut = remove_channels(model, flow, removed_classes(widths, curves, {}));
    const Trace trace = trace_model(cut, inputs);
    InspectOptions options;
    options.trace = &trace;
    const Inspection truth = inspect_model(cut, options);
    EXPECT_NEAR(macs.total(widths), static_cast<double>(truth.total_macs), 0.5);
    EXPECT_NEAR(parameters.total(widths), static_cast<double>(truth.total_parameters),
                0.01 * static_cast<double>(truth.total_parameters));
    EXPECT_NEAR(bytes.total(widths), static_cast<double>(truth.weight_bytes),
                0.02 * static_cast<double>(truth.weight_bytes) + 16384);  // shapes of computed weights come new
  }
}

TEST(CountCostsZoo, EqualWhatTheReallyCutNetworksCost) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  int networks = 0;
  for (const char* folder : {"models", "models/zoo"})
    for (const auto& entry : std::filesystem::directory_iterator(shared / folder)) {
      if (entry.path().extension() != ".onnx") continue;
      SCOPED_TRACE(entry.path().filename().string());
      compare(load_model(entry.path()), networks);
    }
  EXPECT_GE(networks, 20);
  RecordProperty("networks", networks);
}

}  // namespace
}  // namespace pare::testing
