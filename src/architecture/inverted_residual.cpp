#include "architecture/inverted_residual.h"

#include <algorithm>

#include "core/fail.h"

namespace pare {
namespace {

constexpr std::int64_t kSmallImage = 64;

NetValue conv_bn_relu6(NetBuilder& net, const std::string& place, const NetValue& x, const ConvShape& shape) {
  return net.relu6(place + ".relu6", net.batch_norm(place + ".bn", net.conv(place + ".conv", x, shape)));
}

NetValue inverted_residual(NetBuilder& net, const std::string& place, const NetValue& x, const InvertedStage& stage,
                           std::int64_t outputs) {
  NetValue y = x;
  if (stage.expansion != 1)
    y = conv_bn_relu6(net, place + ".expand", y, {.outputs = x.channels * stage.expansion, .kernel = 1});
  y = conv_bn_relu6(net, place + ".depthwise", y,
                    {.outputs = y.channels, .kernel = stage.kernel, .stride = stage.stride, .groups = y.channels});
  y = net.batch_norm(place + ".project.bn", net.conv(place + ".project.conv", y, {.outputs = outputs, .kernel = 1}));
  return stage.stride == 1 && x.channels == outputs ? net.add(place + ".add", y, x) : y;
}

}  // namespace

void add_inverted_net(NetBuilder& net, const StepOptions& options, const InvertedNet& layout) {
  const WidthScale scale(options);
  NetValue x = add_image_input(net, options);
  const std::int64_t longest = std::max(x.height, x.width);
  const bool small = longest > 0 && longest <= kSmallImage;
  const std::int64_t stem = layout.scale_ends ? scale.by_eights(layout.stem) : layout.stem;
  const std::int64_t head = layout.scale_ends && scale.factor() > 1 ? scale.by_eights(layout.head) : layout.head;
  x = conv_bn_relu6(net, "stem", x, {.outputs = stem, .stride = small ? 1 : 2});
  for (std::size_t i = 0; i < layout.stages.size(); ++i) {
    InvertedStage stage = layout.stages[i];
    if (small && i == 1) stage.stride = 1;
    for (std::int64_t block = 0; block < stage.blocks; ++block) {
      x = inverted_residual(net, fmt::format("stage{}.{}", i + 1, block), x, stage, scale.by_eights(stage.outputs));
      stage.stride = 1;
    }
  }
  x = conv_bn_relu6(net, "head", x, {.outputs = head, .kernel = 1});
  add_classifier(net, x, "classifier", class_count(options));
}

}  // namespace pare
