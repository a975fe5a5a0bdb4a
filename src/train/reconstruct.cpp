// reconstruct - each block of a compressed network is fitted by gradient to what the dense network gives there:
// seconds, a few hundred images, no labels.
#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "core/parallel.h"
#include "fit/output_error.h"
#include "fit/sub_model.h"
#include "train/block_samples.h"
#include "train/block_walk.h"
#include "train/blocks.h"
#include "train/channel_match.h"
#include "train/engine.h"
#include "train/steps.h"

namespace pare {
namespace {

constexpr std::int64_t kMemoryBytes = 1'500'000'000;  ///< of values at hand, per network; the rest goes to files
constexpr double kSame = 1e-9;                        ///< relative squared error that is rounding

struct Settings {
  std::int64_t samples = 0, steps = 0, batch = 0;
  double learning_rate = 0;
  std::int64_t span = 1;
};

Settings read_settings(const StepOptions& options) {
  Settings settings{.samples = options.integer("samples"),
                    .steps = options.integer("steps"),
                    .batch = options.integer("batch"),
                    .learning_rate = options.number("lr"),
                    .span = options.integer("span")};
  const auto at_least = [](const char* name, double value, double low) {
    if (!(value >= low)) fail(ErrorCode::kInvalidArgument, "reconstruct: {}={} is less than {}", name, value, low);
  };
  at_least("samples", static_cast<double>(settings.samples), 2);
  at_least("steps", static_cast<double>(settings.steps), 1);
  at_least("batch", static_cast<double>(settings.batch), 1);
  at_least("lr", settings.learning_rate, 1e-12);
  at_least("span", static_cast<double>(settings.span), 1);
  return settings;
}

/// What a block should give, batch by batch; nothing where its channels are not the dense network's.
std::vector<Tensor> targets_of(const BlockWalk& changed, const BlockWalk& dense, std::size_t block) {
  std::vector<Tensor> targets;
  for (std::size_t batch = 0; batch < changed.batches(); ++batch) targets.push_back(dense.end(block, batch));
  const Tensor given = changed.end(block, 0);
  if (given.shape() == targets[0].shape()) return targets;
  const std::optional<ChannelMatch> match = match_channels(given, targets[0]);
  if (!match || match->student.size() < static_cast<std::size_t>(given.shape()[1])) return {};
  for (Tensor& target : targets) target = take_channels(target, match->teacher);
  return targets;
}

/// Squared difference over the squares of the second.
double relative_error(const BlockWalk& changed, const std::vector<Tensor>& targets, std::size_t block) {
  double difference = 0, energy = 0;
  for (std::size_t batch = 0; batch < changed.batches(); ++batch) {
    const Tensor a = changed.end(block, batch);
    const Tensor& b = targets[batch];
    const auto got = a.data<float>(), wanted = b.data<float>();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double d = static_cast<double>(got[i]) - wanted[i];
      difference += d * d;
      energy += static_cast<double>(wanted[i]) * wanted[i];
    }
  }
  return energy > 0 ? difference / energy : difference;
}

/// Stored tensors that nodes outside of these read.
std::set<std::string> read_elsewhere(const Graph& graph, const std::vector<std::int64_t>& nodes) {
  const std::set<std::int64_t> inside(nodes.begin(), nodes.end());
  std::set<std::string> names;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (!inside.contains(static_cast<std::int64_t>(i)))
      for (const std::string& name : values_read(graph.nodes[i])) names.insert(name);
  return names;
}

void store_weights(Model& model, const Model& block) {
  std::map<std::string, Tensor> constants;
  for (const Initializers::Entry& entry : block.graph.initializers) {
    if (model.graph.initializers.contains(entry.name))
      model.graph.initializers.set(entry.name, entry.tensor);
    else
      constants[entry.name] = entry.tensor;
  }
  for (Node& node : model.graph.nodes)
    if (const auto found = constants.find(node.output(0)); node.is("Constant") && found != constants.end()) {
      node.attributes.clear();
      node.set_attribute("value", found->second);
    }
}

/// Fits the blocks between the given ends one after the other.
class Pass {
 public:
  Pass(const Model& dense, const Model& model, const std::vector<BlockEnd>& ends, const BlockSamples& samples,
       const Settings& settings, const Context& context)
      : ends_(ends),
        samples_(samples),
        settings_(settings),
        context_(context),
        dense_(dense, names(true), samples.batches, session(), kMemoryBytes),
        changed_(model, names(false), samples.batches, session(), kMemoryBytes) {}

  void run(StepResult& result) {
    ProgressTask task(*context_.progress, "reconstruct blocks", static_cast<std::int64_t>(ends_.size()), "blocks");
    for (std::size_t block = 0; block < ends_.size(); ++block) {
      dense_.run(block);
      changed_.run(block);
      std::vector<Tensor> targets = targets_of(changed_, dense_, block);
      const bool differs = targets.empty() || relative_error(changed_, targets, block) > kSame;
      if (differs && fit(block, std::move(targets), result)) changed_.run(block);
      dense_.finish(block);
      changed_.finish(block);
      task.advance(static_cast<std::int64_t>(block) + 1);
    }
    result.model = std::move(changed_.model());
  }

 private:
  std::vector<std::string> names(bool dense) const {
    std::vector<std::string> names;
    for (const BlockEnd& end : ends_) names.push_back(dense ? end.dense : end.value);
    return names;
  }
  SessionOptions session() const {
    SessionOptions options = context_.session;
    options.threads = working_threads(options.threads);
    return options;
  }

  bool fit(std::size_t block, std::vector<Tensor> targets, StepResult& result) {
    const Graph& graph = changed_.model().graph;
    const std::int64_t last = changed_.nodes(block).empty() ? -1 : changed_.nodes(block).back();
    if (last < 0) return false;
    const Node& node = graph.nodes[static_cast<std::size_t>(last)];
    const auto skip = [&](std::string reason) {
      result.skipped.push_back({node_label(node, last), node.op_type, std::move(reason)});
      return false;
    };
    if (targets.empty()) return skip("its channels are not channels of the dense network");
    BlockJob job{.block = changed_.block_model(block),
                 .inputs = {},
                 .targets = std::move(targets),
                 .frozen = read_elsewhere(graph, changed_.nodes(block)),
                 .whole_batches = samples_.whole_batches,
                 .steps = settings_.steps,
                 .batch = settings_.batch,
                 .learning_rate = settings_.learning_rate,
                 .threads = working_threads(context_.session.threads),
                 .seed = context_.seed + block};
    const std::vector<NodeReason> refused = train_engine().refusals(job.block);
    if (!refused.empty())
      return skip(fmt::format("its {} cannot be trained through: {}", refused.front().node, refused.front().reason));
    for (std::size_t batch = 0; batch < changed_.batches(); ++batch)
      job.inputs.push_back(changed_.inputs(block, batch));
    BlockFit fit;
    try {
      fit = train_engine().fit_block(job);
      if (fit.weights > 0 && !(fit.error_after < fit.error_before)) {
        job.learning_rate /= 4;  // wide blocks learn the images by heart: smaller steps stay nearer to where they were
        fit = train_engine().fit_block(job);
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument && error.code() != ErrorCode::kUnsupported) throw;
      return skip(error.what());
    }
    if (fit.weights == 0) return skip("it has no weights of its own");
    const std::string errors = fmt::format("error {:.3g} -> {:.3g} (images of the fit: {:.3g} -> {:.3g})",
                                           fit.error_before, fit.error_after, fit.seen_before, fit.seen_after);
    if (!(fit.error_after < fit.error_before)) return skip("no better on images that no step saw: " + errors);
    store_weights(changed_.model(), fit.block);
    result.done.push_back({node_label(node, last), node.op_type, errors});
    ++result.changes;
    return true;
  }

  std::vector<BlockEnd> ends_;
  const BlockSamples& samples_;
  const Settings& settings_;
  const Context& context_;
  BlockWalk dense_, changed_;
};

void check_teacher_fits(const Model& model, const Model& dense) {
  const auto names = [](const std::vector<ValueInfo>& values) {
    std::vector<std::string> list;
    for (const ValueInfo& value : values) list.push_back(value.name);
    return list;
  };
  if (names(model.graph.inputs) != names(dense.graph.inputs) ||
      names(model.graph.outputs) != names(dense.graph.outputs))
    fail(ErrorCode::kInvalidArgument,
         "reconstruct: the teacher has other inputs or outputs than the network\n  remedy: give the dense network that "
         "this one was made from");
}

StepResult run(const Model& model, const StepOptions& options, Context& context) {
  if (!context.teacher)
    fail(
        ErrorCode::kInvalidArgument,
        "reconstruct: what should the blocks give?\n  remedy: --teacher DENSE.onnx, the network that this one was made "
        "from; in a recipe the model that it began with, once a step has changed it");
  if (!context.data)
    fail(ErrorCode::kInvalidArgument, "reconstruct: there are no images to fit on\n  remedy: give --data");
  const Model& dense = *context.teacher;
  const Settings settings = read_settings(options);
  check_teacher_fits(model, dense);
  StepResult result;
  result.model = model;
  const BlockSamples samples = read_block_samples(dense, model, *context.data, settings.samples, context);
  const std::vector<BlockEnd> ends =
      every_nth(find_block_ends(dense, samples.dense, model, samples.changed), settings.span);
  if (ends.empty())
    fail(
        ErrorCode::kUnsupported,
        "reconstruct: the two networks have no value in common\n  remedy: is the teacher the network that this one was "
        "made from?");
  const std::shared_ptr<const Dataset> judge = judging_samples(context.data, samples);
  const OutputError outputs(dense, *judge, judge->size(), context.seed, context.session);
  const double before = outputs.of(model);
  Pass(dense, result.model, ends, samples, settings, context).run(result);
  const double after = outputs.of(result.model);
  result.figures["output_error_before"] = before;
  result.figures["output_error_after"] = after;
  result.figures["blocks"] = static_cast<double>(ends.size());
  result.notes.push_back(
      fmt::format("{} of {} blocks rebuilt; error of the outputs {:.3g} -> {:.3g} on {} images that no step saw",
                  result.done.size(), ends.size(), before, after, judge->size()));
  if (result.changes > 0 && !(after <= before)) {
    result.model = model;
    result.changes = 0;
    result.skipped.insert(result.skipped.end(), result.done.begin(), result.done.end());
    result.done.clear();
    result.notes.emplace_back("all blocks were put back: the outputs got worse");
  }
  return result;
}

}  // namespace

StepInfo reconstruct() {
  using Type = OptionInfo::Type;
  return {
      .name = "reconstruct",
      .kind = StepKind::kTechnique,
      .summary = "Fits each block of a compressed network to the dense one's values: a few images, no labels, seconds",
      .options =
          {
              {"samples", Type::kInt, "512", {}, "images; every eighth only judges"},
              {"steps", Type::kInt, "300", {}, "steps of Adam for each block"},
              {"lr", Type::kNumber, "0.001", {}, "learning rate of the first step; falls to 0"},
              {"batch", Type::kInt, "32", {}, "samples for one step"},
              {"span", Type::kInt, "1", {}, "neighbouring blocks that are fitted as one"},
          },
      .run = run,
      .words = "steps=300",
      .as_is = true,
  };
}

}  // namespace pare
