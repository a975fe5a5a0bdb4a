// A map of values from bands: 3x3 convolutions at full resolution in residual blocks; `depth` blocks see
// 2 * (2 * depth + 1) + 1 pixels across. Nothing in it depends on the size of the image.
#include "architecture/family.h"
#include "core/fail.h"

namespace pare {
namespace {

NetValue conv_bn(NetBuilder& net, const std::string& place, const std::string& index, const NetValue& x,
                 std::int64_t channels) {
  return net.batch_norm(place + ".bn" + index, net.conv(place + ".conv" + index, x, {.outputs = channels}));
}

void build(NetBuilder& net, const StepOptions& options) {
  const std::int64_t depth = whole_number(options, "depth", 0, 64);
  const std::int64_t channels = whole_number(options, "channels", 1, 4096);
  NetValue x = net.relu("stem.relu", conv_bn(net, "stem", "", add_image_input(net, options), channels));
  for (std::int64_t block = 0; block < depth; ++block) {
    const std::string place = fmt::format("block{}", block + 1);
    const NetValue y = net.relu(place + ".relu1", conv_bn(net, place, "1", x, channels));
    x = net.relu(place + ".relu2", net.add(place + ".add", conv_bn(net, place, "2", y, channels), x));
  }
  net.output("map", net.conv_head("head", x, class_count(options)));
}

}  // namespace

ArchitectureFamily regressor() {
  using Type = OptionInfo::Type;
  std::vector<OptionInfo> options = {
      {.name = "channels", .type = Type::kInt, .default_text = "32", .choices = {}, .help = "Channels of every layer"},
      {.name = "depth",
       .type = Type::kInt,
       .default_text = "3",
       .choices = {},
       .help = "Residual blocks of two convolutions"}};
  for (const OptionInfo& option : image_options("64", "1")) options.push_back(option);
  return {{{.name = "regressor",
            .summary = "A value for every pixel, [N, 1, H, W]: residual 3x3 convolutions at full resolution",
            .options = std::move(options)},
           build}};
}

}  // namespace pare
