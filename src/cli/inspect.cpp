// pare inspect: what is in a model, what each part costs, and what each technique could act on.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/words.h"
#include "pare/channels.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "report/format.h"
#include "report/inspect_json.h"
#include "report/table.h"

namespace pare {
namespace {

std::string share_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

class Inspect final : public Verb {
 public:
  std::string name() const override { return "inspect"; }
  std::string summary() const override {
    return "What is in a model: parameters, MACs, bytes by node, and what each technique could act on";
  }
  std::string example() const override { return "pare inspect model.onnx --all"; }

  void declare(CLI::App& app) override {
    app.add_option("model", model_, "The ONNX file")->required();
    app.add_flag("--all", all_, "List every node (default: the 20 with most MACs or bytes)");
    app.add_option("--batch", options_.batch, "Batch size where the model leaves it open")
        ->capture_default_str()
        ->check(CLI::PositiveNumber);
    app.add_option("--image-size", options_.image_size, "Height and width where the model leaves them open")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--channels", channels_,
                 "List the groups of channels that can go together when pruned, and why others cannot");
    app.add_flag("--trace", trace_, "Run the model once, so that shapes which it computes itself are known");
    app.add_flag("--allow-external-links", allow_links_,
                 "Follow links of external data that lead out of the model's folder");
    declare_run(app, run_);
  }

  int run(Shell& shell) override {
    const Model model = open_model(model_, allow_links_);
    Trace trace;
    if (trace_) {
      trace = trace_model(model, probe_inputs(model, {.batch = options_.batch, .image_size = options_.image_size}));
      options_.trace = &trace;
    }
    const Inspection inspection = inspect_model(model, options_);
    print_head(shell, model, inspection);
    print_nodes(shell, inspection);
    print_opportunities(shell, inspection);
    if (!channels_)
      shell.print(
          "  --channels runs the model once and follows its channels through everything: which can be pruned\n");
    nlohmann::json report = to_json(inspection);
    if (channels_) {
      const ChannelFlow flow =
          trace_channels(model, probe_inputs(model, {.batch = options_.batch, .image_size = options_.image_size}));
      print_channels(shell, flow);
      report["channel_groups"] = to_json(flow);
    }
    report["model"] = model_;
    report["size_bytes"] = size_on_disk(model_);
    report["opset"] = model.opset();
    report["ir_version"] = model.ir_version;
    report["producer"] = model.producer_name + " " + model.producer_version;
    shell.json(report);
    return kDone;
  }

 private:
  void print_head(Shell& shell, const Model& model, const Inspection& inspection) const {
    shell.print(fmt::format("{}   {} parameters, {} MACs, {}, {}\n", std::filesystem::path(model_).filename().string(),
                            format_count(inspection.total_parameters), format_count(inspection.total_macs),
                            format_bytes(size_on_disk(model_)), inspection.task_text));
    std::vector<std::string> ops;
    for (const auto& [op, count] : inspection.op_counts)
      if (ops.size() < 8) ops.push_back(fmt::format("{} {}", count, op));
    if (inspection.op_counts.size() > ops.size())
      ops.push_back(fmt::format("{} other kinds", inspection.op_counts.size() - ops.size()));
    std::vector<std::string> types;
    for (const auto& [dtype, bytes] : inspection.bytes_by_dtype)
      types.push_back(fmt::format("{} {}", format_bytes(bytes), dtype_name(dtype)));
    shell.print(fmt::format("made by     {} {}, opset {}, IR {}\n",
                            model.producer_name.empty() ? "an unnamed exporter" : model.producer_name,
                            model.producer_version, model.opset(), model.ir_version));
    for (const ValueDescription& input : inspection.inputs)
      shell.print(fmt::format("input       {}: {}\n", input.name, input.declared));
    for (const ValueDescription& output : inspection.outputs)
      shell.print(fmt::format("output      {}: {}\n", output.name, output.declared));
    shell.print(fmt::format("nodes       {}: {}\n", inspection.nodes.size(), join(ops, ", ")));
    if (!types.empty()) shell.print(fmt::format("weights     {}\n", join(types, ", ")));
    if (const std::string* recipe = model.find_metadata(kRecipeKey))
      shell.print(fmt::format("recipe      {}\n", *recipe));
    for (const std::string& note : inspection.notes) shell.print(fmt::format("note        {}\n", note));
    if (inspection.unknown_macs > 0)
      shell.print(fmt::format("note        MACs of {} nodes are not known; --trace or --image-size may tell\n",
                              inspection.unknown_macs));
    shell.print("\n");
  }

  void print_nodes(Shell& shell, const Inspection& inspection) const {
    std::vector<const NodeCost*> nodes;
    for (const NodeCost& node : inspection.nodes)
      if (all_ || node.mac_share > 0 || node.byte_share > 0.001) nodes.push_back(&node);
    const std::size_t eligible = nodes.size();
    if (!all_) {
      std::stable_sort(nodes.begin(), nodes.end(), [](const NodeCost* a, const NodeCost* b) {
        return std::max(a->mac_share, a->byte_share) > std::max(b->mac_share, b->byte_share);
      });
      if (nodes.size() > 20) nodes.resize(20);
      std::sort(nodes.begin(), nodes.end(), [](const NodeCost* a, const NodeCost* b) { return a->node < b->node; });
    }
    Table table({{"node", false, 0, 16},
                 {"type", false, 2},
                 {"output", false, 3},
                 {"parameters"},
                 {"MACs"},
                 {"share", true, 1},
                 {"weights", true, 4}});
    for (const NodeCost* node : nodes) {
      const std::string shape =
          !node->output_shapes.empty() && node->output_shapes[0] ? shape_text(*node->output_shapes[0]) : "?";
      const std::string label = !node->name.empty()      ? node->name
                                : !node->outputs.empty() ? node->outputs[0]
                                                         : node->label;
      table.add({label, node->op_type, shape, format_count(node->parameters),
                 node->macs ? format_count(*node->macs) : "?", share_text(node->mac_share),
                 format_bytes(node->weight_bytes)});
    }
    shell.print(table.text(shell.width()));
    if (!all_ && eligible > nodes.size())
      shell.print(fmt::format("... {} more with weights; --all lists every node\n", eligible - nodes.size()));
    shell.print("\n");
  }

  static void print_opportunities(Shell& shell, const Inspection& inspection) {
    shell.print("what could act on it, before anything is measured\n");
    for (const Opportunity& opportunity : inspection.opportunities) {
      shell.print(fmt::format("  {:<16} {}\n", opportunity.technique, opportunity.summary));
      if (!shell.verbose()) continue;
      for (const NodeNote& note : opportunity.cannot)
        shell.print(fmt::format("      not {}: {}\n", note.label, note.note));
    }
  }

  static void print_members(Shell& shell, const ChannelFlow& flow) {
    const auto labels = [&](const std::vector<std::int64_t>& layers) {
      std::vector<std::string> names;
      for (const std::int64_t layer : layers) names.push_back(flow.layers[static_cast<std::size_t>(layer)].label);
      return join(names, ", ");
    };
    for (const ChannelGroup& group : flow.groups)
      if (group.frozen.empty())
        shell.print(fmt::format("  {}: made by {}; read by {}\n", group.name, labels(group.producers),
                                labels(group.consumers)));
  }

  static void print_channels(Shell& shell, const ChannelFlow& flow) {
    std::int64_t free = 0, channels = 0;
    Table table({{"channels of", false, 0, 16}, {"channels"}, {"choices"}, {"made by", true, 2}, {"read by", true, 2}});
    for (const ChannelGroup& group : flow.groups) {
      if (!group.frozen.empty()) continue;
      ++free;
      channels += group.channels;
      table.add({group.name, std::to_string(group.channels), std::to_string(group.classes.size()),
                 std::to_string(group.producers.size()), std::to_string(group.consumers.size())});
    }
    shell.print(fmt::format("\nchannels that can go: {} in {} groups; within a group any may, as long as one stays\n",
                            format_count(channels), free));
    if (free > 0) shell.print(table.text(shell.width()));
    if (shell.verbose()) print_members(shell, flow);
    bool first = true;
    for (const ChannelGroup& group : flow.groups) {
      if (group.frozen.empty()) continue;
      if (first) shell.print("channels that stay\n");
      first = false;
      shell.print(fmt::format("  {}: {} channels; {}\n", group.name, group.channels, group.frozen));
    }
  }

  std::string model_;
  bool all_ = false, channels_ = false, trace_ = false, allow_links_ = false;
  InspectOptions options_;
  RunOptions run_;
};

}  // namespace

std::unique_ptr<Verb> make_inspect() { return std::make_unique<Inspect>(); }

}  // namespace pare
