// Every block of every real network: dropped alone and all together, the network stays valid and runs.
#include "pare/model_io.h"
#include "prune/drop_block.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(DropBlockZoo, EveryBlockCanGo) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  int blocks = 0, networks = 0;
  for (const char* folder : {"models", "models/zoo"})
    for (const auto& entry : std::filesystem::directory_iterator(shared / folder)) {
      if (entry.path().extension() != ".onnx") continue;
      SCOPED_TRACE(entry.path().filename().string());
      const Model model = load_model(entry.path());
      if (std::none_of(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [](const Node& node) { return node.is("Add") || node.is("Sum"); }))
        continue;
      ChannelFlow flow;
      NamedTensors inputs;
      try {
        inputs = probe_inputs(model);
        flow.trace = std::make_shared<Trace>(trace_model(model, inputs));
      } catch (const Error&) {
        continue;  // does not run here at all
      }
      const std::vector<DropCandidate> found = find_drop_candidates(model, flow);
      if (found.empty()) continue;
      ++networks;
      blocks += static_cast<int>(found.size());
      for (const auto& drops : {found, {found.front()}, {found.back()}}) {
        const Model dropped = drop_blocks(model, drops);
        EXPECT_NO_THROW(check_model(dropped));
        const auto before = open_session(model)->run(inputs), after = open_session(dropped)->run(inputs);
        ASSERT_EQ(before.size(), after.size());
        for (std::size_t i = 0; i < after.size(); ++i) EXPECT_EQ(before[i].shape(), after[i].shape());
        EXPECT_LT(dropped.graph.nodes.size(), model.graph.nodes.size());
      }
    }
  EXPECT_GE(networks, 8);
  RecordProperty("networks", networks);
  RecordProperty("blocks", blocks);
}

}  // namespace
}  // namespace pare::testing
