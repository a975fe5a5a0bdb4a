// Real files of many exporters without some of their channels: proved against the masked network, or with reasons.
#include <chrono>
#include <iostream>

#include "channels/pruning.h"
#include "rewrite/rewrites.h"
#include "step/compare_outputs.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> real_files() {
  std::vector<fs::path> files;
  const fs::path shared = shared_folder();
  if (shared.empty()) return files;
  for (const fs::path& folder : {shared / "models", shared / "models" / "zoo"})
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// What became of one file.
struct Outcome {
  bool convolutional = false;  ///< at least two convolutions
  bool free = false;           ///< some group is free
  std::string text;
};

std::int64_t count_convolutions(const Model& model) {
  return std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [](const Node& node) { return node.is("Conv"); });
}

/// What is compared: the outputs, and where positions are chosen (boxes by rank, pixels by a threshold), so that one
/// rounding changes everything after, the values that the first such nodes choose from.
struct Compared {
  std::vector<ValueInfo> values;
  std::vector<std::size_t> places;  ///< of each among the outputs of a session opened with `extra`
  std::vector<std::string> extra;
};

Compared compared_values(const Model& model) {
  const std::set<std::string> choosers = {"TopK", "NonMaxSuppression", "ArgMax", "ArgMin", "NonZero", "Hardmax"};
  Compared compared;
  std::set<std::string> chosen;  // values behind a choice
  for (const Node& node : model.graph.nodes) {
    bool behind =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](const auto& in) { return chosen.contains(in); });
    for (const Attribute& attribute : node.attributes)
      if (const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute.value))
        for (const std::string& capture : captured_values(**body)) behind = behind || chosen.contains(capture);
    if (!behind && !choosers.contains(node.op_type)) continue;
    for (std::size_t i = 0; !behind && i < std::min<std::size_t>(2, node.inputs.size()); ++i)
      if (GraphIndex(model.graph).producer(node.input(i)) >= 0 && model.graph.find_output(node.input(i)) == nullptr &&
          std::count(compared.extra.begin(), compared.extra.end(), node.input(i)) == 0)
        compared.extra.push_back(node.input(i));
    chosen.insert(node.outputs.begin(), node.outputs.end());
  }
  for (std::size_t i = 0; i < model.graph.outputs.size(); ++i) {
    if (chosen.contains(model.graph.outputs[i].name)) continue;
    compared.values.push_back(model.graph.outputs[i]);
    compared.places.push_back(i);
  }
  for (std::size_t i = 0; i < compared.extra.size(); ++i) {
    ValueInfo info;
    info.name = compared.extra[i];
    compared.values.push_back(info);
    compared.places.push_back(model.graph.outputs.size() + i);
  }
  return compared;
}

std::vector<Tensor> run_compared(const Model& model, const Compared& compared, bool optimize,
                                 const NamedTensors& inputs) {
  const std::vector<Tensor> all =
      open_session(model, {.optimize = optimize, .extra_outputs = compared.extra})->run(inputs);
  std::vector<Tensor> values;
  for (const std::size_t place : compared.places) values.push_back(all.at(place));
  return values;
}

/// How the cut network's outputs differ from the masked one's, the runtime's optimizations on and off; "" if they do
/// not.
std::string difference_from_masked(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed,
                                   const NamedTensors& inputs) {
  const Model after = remove_channels(model, flow, removed);
  check_model(after);
  const Model masked = mask_channels(model, flow, removed);
  const Compared compared = compared_values(model);
  OutputTolerance tolerance = tolerance_for(model);
  if (std::any_of(model.graph.nodes.begin(), model.graph.nodes.end(), [](const Node& n) { return n.is("Sigmoid"); }))
    for (const ValueInfo& output : compared.values)  // whatever lies between: a probability may be 1e-5 here
      tolerance.saturating.push_back(output.name);
  for (const bool optimize : {true, false}) {
    const OutputDifference difference =
        compare_outputs(compared.values, run_compared(masked, compared, optimize, inputs),
                        run_compared(after, compared, optimize, inputs), tolerance);
    if (!difference.within) return difference.text;
  }
  return {};
}

/// The groups that are not right even alone, for the message.
std::string culprits(const Model& model, const ChannelFlow& flow, const RemovedClasses& removed,
                     const NamedTensors& inputs) {
  std::string text;
  for (const ChannelGroup& group : flow.groups) {
    RemovedClasses own;
    for (const ChannelClass label : removed)
      if (std::count(group.classes.begin(), group.classes.end(), label) > 0) own.push_back(label);
    if (own.empty()) continue;
    const std::string difference = difference_from_masked(model, flow, own, inputs);
    if (!difference.empty()) text += "\n    alone: " + group.name + ": " + difference;
  }
  return text.empty() ? "\n    no group is wrong alone" : text;
}

Outcome run_file(const fs::path& path) {
  Outcome outcome;
  Model model;
  NamedTensors inputs;
  try {
    model = load_model(path);
    outcome.convolutional = count_convolutions(model) >= 2;
    inputs = probe_inputs(model);
  } catch (const Error& error) {  // not a matter of channels: the file does not run at all
    outcome.convolutional = false;
    outcome.text = std::string("refused: ") + error.what();
    return outcome;
  }
  const auto start = std::chrono::steady_clock::now();
  const ChannelFlow flow = trace_channels(model, inputs);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::int64_t free = 0, frozen = 0, channels = 0;
  for (const ChannelGroup& group : flow.groups) {
    (group.frozen.empty() ? free : frozen) += 1;
    if (group.frozen.empty()) channels += static_cast<std::int64_t>(group.classes.size());
  }
  outcome.free = free > 0;
  outcome.text = std::to_string(flow.layers.size()) + " layers, " + std::to_string(free) + " groups free (" +
                 std::to_string(channels) + " classes), " + std::to_string(frozen) + " frozen, traced in " +
                 std::to_string(seconds) + " s";
  for (const ChannelGroup& group : flow.groups)
    if (!group.frozen.empty()) outcome.text += "\n    " + group.name + ": " + group.frozen;
  EXPECT_EQ(serialize_model(remove_channels(model, flow, {})), serialize_model(model)) << "nothing removed";
  Rng rng(11);
  for (const double share : {0.25, 0.5}) {
    SCOPED_TRACE("share " + std::to_string(share));
    const RemovedClasses removed = random_classes(flow, share, rng);
    if (removed.empty()) continue;
    const std::string difference = difference_from_masked(model, flow, removed, inputs);
    EXPECT_EQ(difference, "");
    if (!difference.empty()) ADD_FAILURE() << culprits(model, flow, removed, inputs);
  }
  return outcome;
}

TEST(SlowChannelsZoo, EveryFileIsCutAndProvedOrSaysWhyNot) {
  PARE_NEED_SHARED(shared_folder());
  std::int64_t convolutional = 0, free = 0;
  std::string without;
  for (const fs::path& path : real_files()) {
    SCOPED_TRACE(path.filename());
    Outcome outcome;
    EXPECT_NO_THROW(outcome = run_file(path));
    std::cout << path.filename().string() << ": " << outcome.text << std::endl;
    convolutional += outcome.convolutional;
    free += outcome.convolutional && outcome.free;
    if (outcome.convolutional && !outcome.free) without += "\n" + path.filename().string() + ": " + outcome.text;
  }
  EXPECT_GE(static_cast<double>(free), 0.9 * static_cast<double>(convolutional)) << "without a free group:" << without;
}

/// Exporters leave shapes and pads to be computed as the graph runs; the rewrites, which come first, fold them.
TEST(SlowChannelsZoo, RewrittenNetworksAreFreeButForTheirOutputs) {
  const fs::path shared = shared_folder();
  PARE_NEED_SHARED(shared);
  for (const auto& entry : fs::directory_iterator(shared / "models")) {
    if (!entry.path().filename().string().starts_with("cifar10_")) continue;
    SCOPED_TRACE(entry.path().filename());
    Context context;
    const Model model = rewrite_model(load_model(entry.path()), context).model;
    const NamedTensors inputs = probe_inputs(model);
    const ChannelFlow flow = trace_channels(model, inputs);
    const auto frozen = std::count_if(flow.groups.begin(), flow.groups.end(),
                                      [](const ChannelGroup& group) { return !group.frozen.empty(); });
    EXPECT_EQ(frozen, 1) << "the logits alone";
    Rng rng(5);
    EXPECT_EQ(difference_from_masked(model, flow, random_classes(flow, 0.5, rng), inputs), "");
  }
}

}  // namespace
}  // namespace pare::testing
