#include <cmath>

#include "core/fail.h"
#include "rewrite/upgrade_node.h"

namespace pare {
namespace {

struct NearestMode {
  std::string word, why_not;
};
/// Resize-10 and Upsample took floor when enlarging and ceil when shrinking; today one word serves all dimensions.
NearestMode nearest_mode(const Tensor& scales) {
  if (scales.empty()) return {{}, "its scales are computed in the graph"};
  bool enlarges = false, shrinks = false;
  for (const float scale : scales.to_floats()) {
    if (scale > 1) enlarges = true;
    // At whole factors every sample falls on a pixel, and rounding does not matter.
    if (scale < 1 && std::abs(1 / scale - std::round(1 / scale)) > 1e-6F) shrinks = true;
  }
  if (enlarges && shrinks) return {{}, "it enlarges one dimension and shrinks another"};
  return {shrinks ? "ceil" : "floor", {}};
}

NodeUpgrade to_asymmetric_resize(Node& node, UpgradeSite& site, const std::string& scales) {
  std::string mode = node.string_or("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  if (mode != "nearest" && mode != "linear") return {{}, fmt::format("mode '{}' is not known", mode)};
  if (mode == "nearest") {
    const NearestMode nearest = nearest_mode(site.constant(scales));
    if (!nearest.why_not.empty()) return {{}, nearest.why_not};
    node.set_attribute("nearest_mode", nearest.word);
  }
  node.set_attribute("mode", mode);
  node.set_attribute("coordinate_transformation_mode", std::string("asymmetric"));
  node.op_type = "Resize";
  node.inputs = {node.input(0), "", scales};
  return {"asymmetric Resize", {}};
}

}  // namespace

NodeUpgrade upgrade_upsample(Node& node, UpgradeSite& site) {
  if (!node.input(1).empty()) return to_asymmetric_resize(node, site, node.input(1));
  std::vector<float> scales;
  if (const Attribute* attribute = node.find_attribute("scales")) {
    if (const auto* values = std::get_if<std::vector<float>>(&attribute->value)) scales = *values;
  } else if (node.find_attribute("height_scale")) {
    scales = {1, 1, node.float_or("height_scale", 1), node.float_or("width_scale", 1)};
  }
  if (scales.empty()) return {{}, "it has no scales"};
  const Tensor tensor = Tensor::of<float>({static_cast<std::int64_t>(scales.size())}, scales);
  const std::string name = site.add_constant(node.output(0) + "_scales", tensor);
  for (const char* attribute : {"scales", "height_scale", "width_scale"}) node.remove_attribute(attribute);
  return to_asymmetric_resize(node, site, name);
}

NodeUpgrade upgrade_resize(Node& node, UpgradeSite& site) {
  if (site.opset < 11) return to_asymmetric_resize(node, site, node.input(1));
  // Resize-11 wanted all inputs; what was passed as an empty tensor may be left out now.
  bool changed = false;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor tensor = site.constant(node.inputs[i]);
    if (tensor.empty() || tensor.element_count() != 0) continue;
    node.inputs[i].clear();
    changed = true;
  }
  return {changed ? "empty inputs left out" : "", {}};
}

}  // namespace pare
