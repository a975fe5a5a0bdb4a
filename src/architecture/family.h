// family.h - what a file of this folder defines: the architectures of one family, and the options they share.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "architecture/net_builder.h"
#include "pare/architecture.h"

namespace pare {

struct Architecture {
  ArchitectureInfo info;
  /// Adds everything to an empty network. Messages of errors need not name the architecture.
  std::function<void(NetBuilder&, const StepOptions&)> build;
};
using ArchitectureFamily = std::vector<Architecture>;

#define PARE_ARCHITECTURE(name) [[nodiscard]] ArchitectureFamily name();
#include "architecture/architectures.def"
#undef PARE_ARCHITECTURE

/// size, bands, classes: every network that looks at images.
[[nodiscard]] std::vector<OptionInfo> image_options(const std::string& size, const std::string& classes);
/// width, then those.
[[nodiscard]] std::vector<OptionInfo> scaled_image_options(const std::string& size, const std::string& classes);
[[nodiscard]] OptionInfo seed_option();

/// Height and width as --size gives them; 0: left open.
struct ImageSize {
  std::int64_t height = 0, width = 0;
};
/// "32", "32,48" and "32x48" (height, width), "any".
[[nodiscard]] ImageSize parse_image_size(const std::string& text);
/// The option's value; throws Error(kInvalidArgument) unless it lies within the bounds.
[[nodiscard]] std::int64_t whole_number(const StepOptions& options, const std::string& name, std::int64_t least,
                                        std::int64_t most);
[[nodiscard]] std::int64_t class_count(const StepOptions& options);

/// Channel counts times the option width, rounded, at least 1.
class WidthScale {
 public:
  explicit WidthScale(const StepOptions& options);
  [[nodiscard]] double factor() const noexcept { return factor_; }
  [[nodiscard]] std::int64_t operator()(std::int64_t channels) const;
  /// To the nearest multiple of 8, not more than a tenth below (the rule of the MobileNets).
  [[nodiscard]] std::int64_t by_eights(std::int64_t channels) const;

 private:
  double factor_ = 1;
};

/// The input x of the options size and bands.
[[nodiscard]] NetValue add_image_input(NetBuilder& net, const StepOptions& options);
/// Global average pooling and one linear layer.
void add_classifier(NetBuilder& net, const NetValue& x, const std::string& name, std::int64_t classes);

}  // namespace pare
