#include "report/inspect_json.h"

namespace pare {
namespace {

using nlohmann::json;

json to_json(const std::vector<NodeNote>& notes) {
  json out = json::array();
  for (const NodeNote& note : notes)
    out.push_back({{"node", note.label}, {"op_type", note.op_type}, {"note", note.note}});
  return out;
}

json to_json(const std::vector<ValueDescription>& values) {
  json out = json::array();
  for (const ValueDescription& value : values)
    out.push_back({{"name", value.name},
                   {"declared", value.declared},
                   {"shape", value.shape ? json(*value.shape) : json(nullptr)}});
  return out;
}

json to_json(const NodeCost& node) {
  json shapes = json::array();
  for (const auto& shape : node.output_shapes) shapes.push_back(shape ? json(*shape) : json(nullptr));
  return {{"index", node.node},
          {"name", node.name},
          {"op_type", node.op_type},
          {"domain", node.domain},
          {"outputs", node.outputs},
          {"output_shapes", shapes},
          {"parameters", node.parameters},
          {"macs", node.macs ? json(*node.macs) : json(nullptr)},
          {"weight_bytes", node.weight_bytes},
          {"mac_share", node.mac_share},
          {"note", node.note}};
}

}  // namespace

json to_json(const Inspection& inspection) {
  json out = {{"parameters", inspection.total_parameters},
              {"macs", inspection.total_macs},
              {"unknown_macs", inspection.unknown_macs},
              {"weight_bytes", inspection.weight_bytes},
              {"inputs", to_json(inspection.inputs)},
              {"outputs", to_json(inspection.outputs)},
              {"task", inspection.task_text},
              {"task_reason", inspection.task_reason},
              {"notes", inspection.notes},
              {"nodes", json::array()},
              {"opportunities", json::array()},
              {"op_counts", json::object()}};
  for (const NodeCost& node : inspection.nodes) out["nodes"].push_back(to_json(node));
  for (const auto& [op, count] : inspection.op_counts) out["op_counts"][op] = count;
  for (const Opportunity& opportunity : inspection.opportunities)
    out["opportunities"].push_back({{"technique", opportunity.technique},
                                    {"summary", opportunity.summary},
                                    {"can", to_json(opportunity.can)},
                                    {"cannot", to_json(opportunity.cannot)},
                                    {"mac_share", opportunity.mac_share}});
  return out;
}

json to_json(const ChannelFlow& flow) {
  const auto labels = [&](const std::vector<std::int64_t>& layers) {
    json out = json::array();
    for (const std::int64_t layer : layers) out.push_back(flow.layers[static_cast<std::size_t>(layer)].label);
    return out;
  };
  json out = json::array();
  for (const ChannelGroup& group : flow.groups)
    out.push_back({{"name", group.name},
                   {"channels", group.channels},
                   {"choices", group.classes.size()},
                   {"producers", labels(group.producers)},
                   {"consumers", labels(group.consumers)},
                   {"frozen", group.frozen}});
  return out;
}

}  // namespace pare
