// Residual networks (He et al. 2016). The CIFAR kind: 3x3 stem, three stages of 16, 32, 64 channels, 6n + 2 layers, the
// shortcut between stages a 1x1 convolution (option B). The ImageNet kind: 7x7 stem and pooling, four stages; in
// bottlenecks the 3x3 convolution has the stride, as in most zoos.
#include "architecture/family.h"
#include "core/fail.h"

namespace pare {
namespace {

NetValue conv_bn(NetBuilder& net, const std::string& place, const std::string& index, const NetValue& x,
                 const ConvShape& shape) {
  return net.batch_norm(place + "bn" + index, net.conv(place + "conv" + index, x, shape));
}

NetValue shortcut(NetBuilder& net, const std::string& place, const NetValue& x, std::int64_t channels,
                  std::int64_t stride) {
  if (stride == 1 && x.channels == channels) return x;
  return net.batch_norm(place + "downsample.1",
                        net.conv(place + "downsample.0", x, {.outputs = channels, .kernel = 1, .stride = stride}));
}

NetValue basic_block(NetBuilder& net, const std::string& place, const NetValue& x, std::int64_t channels,
                     std::int64_t stride) {
  NetValue y = net.relu(place + "relu1", conv_bn(net, place, "1", x, {.outputs = channels, .stride = stride}));
  y = conv_bn(net, place, "2", y, {.outputs = channels});
  return net.relu(place + "relu2", net.add(place + "add", y, shortcut(net, place, x, channels, stride)));
}

NetValue bottleneck(NetBuilder& net, const std::string& place, const NetValue& x, std::int64_t inner,
                    std::int64_t stride) {
  NetValue y = net.relu(place + "relu1", conv_bn(net, place, "1", x, {.outputs = inner, .kernel = 1}));
  y = net.relu(place + "relu2", conv_bn(net, place, "2", y, {.outputs = inner, .stride = stride}));
  y = conv_bn(net, place, "3", y, {.outputs = 4 * inner, .kernel = 1});
  return net.relu(place + "relu3", net.add(place + "add", y, shortcut(net, place, x, 4 * inner, stride)));
}

using Block = NetValue (*)(NetBuilder&, const std::string&, const NetValue&, std::int64_t, std::int64_t);

struct Stages {
  std::vector<std::int64_t> blocks, channels;
  Block block = basic_block;
};

void add_stages(NetBuilder& net, const StepOptions& options, NetValue x, const Stages& stages) {
  const WidthScale scale(options);
  for (std::size_t stage = 0; stage < stages.blocks.size(); ++stage)
    for (std::int64_t block = 0; block < stages.blocks[stage]; ++block)
      x = stages.block(net, fmt::format("layer{}.{}.", stage + 1, block), x, scale(stages.channels[stage]),
                       stage > 0 && block == 0 ? 2 : 1);
  add_classifier(net, x, "fc", class_count(options));
}

Architecture cifar_kind(int layers) {
  const std::int64_t blocks = (layers - 2) / 6;
  return {{.name = fmt::format("resnet{}", layers),
           .summary = fmt::format("Residual network of {} layers for small images (the CIFAR kind, 16-32-64)", layers),
           .options = scaled_image_options("32", "10")},
          [blocks](NetBuilder& net, const StepOptions& options) {
            const NetValue x =
                conv_bn(net, "", "1", add_image_input(net, options), {.outputs = WidthScale(options)(16)});
            add_stages(net, options, net.relu("relu1", x), {{blocks, blocks, blocks}, {16, 32, 64}, basic_block});
          }};
}

Architecture imagenet_kind(int layers, const std::string& what, const Stages& stages) {
  return {{.name = fmt::format("resnet{}", layers),
           .summary = fmt::format("Residual network of {} layers (the ImageNet kind, {})", layers, what),
           .options = scaled_image_options("224", "1000")},
          [stages](NetBuilder& net, const StepOptions& options) {
            NetValue x = conv_bn(net, "", "1", add_image_input(net, options),
                                 {.outputs = WidthScale(options)(64), .kernel = 7, .stride = 2});
            x = net.max_pool("maxpool", net.relu("relu1", x), 3, 2);
            add_stages(net, options, x, stages);
          }};
}

}  // namespace

ArchitectureFamily resnet() {
  return {cifar_kind(8), cifar_kind(20), cifar_kind(56),
          imagenet_kind(18, "two 3x3 convolutions a block", {{2, 2, 2, 2}, {64, 128, 256, 512}, basic_block}),
          imagenet_kind(50, "bottlenecks", {{3, 4, 6, 3}, {64, 128, 256, 512}, bottleneck})};
}

}  // namespace pare
