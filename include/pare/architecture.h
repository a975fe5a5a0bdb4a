// pare/architecture.h - networks to train from scratch (students above all): known architectures with seeded weights.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pare/graph.h"
#include "pare/step.h"

namespace pare {

struct ArchitectureInfo {
  std::string name;                 ///< "resnet20"
  std::string summary;              ///< one line
  std::vector<OptionInfo> options;  ///< with their defaults: width, size, bands, classes, seed ...
};

/// All architectures of this build, family by family.
[[nodiscard]] const std::vector<ArchitectureInfo>& all_architectures();
/// Throws Error(kInvalidArgument) with the nearest names.
[[nodiscard]] const ArchitectureInfo& find_architecture(std::string_view name);

/// Metadata key under which a new model carries its name and all its options: "resnet20 bands=3 classes=10 ...".
inline constexpr std::string_view kArchitectureKey = "pare.architecture";

/// The network, checked, opset 17, batch "N"; it ends in logits or in values, not in a Softmax. The same options give
/// the same bytes on every machine; `seed` alone changes the weights alone.
///
/// Convolutions before a BatchNormalization have no bias and He's normal weights (fan-out; He et al. 2015), others and
/// linear layers are uniform within 1/sqrt(fan-in), or He's uniform within sqrt(6/fan-in) where a ReLU follows.
/// BatchNormalization starts with scale 1, bias 0, mean 0 and, as variance, what its convolution puts out for standard
/// normal input: so the untrained network neither explodes nor fades, however deep, in inference too.
///
/// Throws Error(kInvalidArgument): unknown name or option (nearest named), a value that does not fit.
///
///   const Model student = new_model("resnet20", {{"bands", "4"}, {"width", "0.5"}, {"seed", "1"}});
[[nodiscard]] Model new_model(std::string_view name, const std::map<std::string, std::string>& options = {});

}  // namespace pare
