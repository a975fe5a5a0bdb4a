// U-Net (Ronneberger et al. 2015) for segmentation, padded so that the map is as large as the image: `depth` levels of
// two 3x3 convolutions each, channels doubled on the way down, halved and joined with the same level on the way up.
#include "architecture/family.h"
#include "core/fail.h"

namespace pare {
namespace {

NetValue two_convolutions(NetBuilder& net, const std::string& place, NetValue x, std::int64_t channels) {
  for (const char* index : {"1", "2"}) {
    x = net.conv(place + ".conv" + index, x, {.outputs = channels});
    x = net.relu(place + ".relu" + index, net.batch_norm(place + ".bn" + index, x));
  }
  return x;
}

NetValue twice_as_large(NetBuilder& net, const std::string& place, const NetValue& x, bool transpose) {
  const std::int64_t channels = x.channels / 2;
  if (transpose) return net.conv_up(place + ".transpose", x, channels);
  // The 1x1 convolution comes first: it commutes with nearest neighbours and costs a quarter there.
  const NetValue narrow = net.conv(place + ".narrow", x, {.outputs = channels, .kernel = 1});
  return net.upsample(place + ".resize", net.relu(place + ".relu", net.batch_norm(place + ".bn", narrow)));
}

void build(NetBuilder& net, const StepOptions& options) {
  const std::int64_t depth = whole_number(options, "depth", 1, 6);
  const std::int64_t channels = whole_number(options, "channels", 1, 512);
  const bool transpose = options.word("up") == "transpose";
  const std::int64_t grid = std::int64_t{1} << depth;
  NetValue x = add_image_input(net, options);
  if (x.height % grid != 0 || x.width % grid != 0)
    fail(ErrorCode::kInvalidArgument,
         "size {},{} cannot be halved {} times\n  remedy: multiples of {}, or a smaller depth", x.height, x.width,
         depth, grid);
  std::vector<NetValue> levels;
  for (std::int64_t level = 0; level < depth; ++level) {
    const std::string place = fmt::format("down{}", level + 1);
    levels.push_back(two_convolutions(net, place, x, channels << level));
    x = net.max_pool(place + ".pool", levels.back(), 2, 2);
  }
  x = two_convolutions(net, "bottom", x, channels << depth);
  for (std::int64_t level = depth - 1; level >= 0; --level) {
    const std::string place = fmt::format("up{}", level + 1);
    x = twice_as_large(net, place, x, transpose);
    x = net.concat(place + ".concat", levels[static_cast<std::size_t>(level)], x);
    x = two_convolutions(net, place, x, channels << level);
  }
  net.output("logits", net.conv_head("head", x, class_count(options)));
}

}  // namespace

ArchitectureFamily unet() {
  using Type = OptionInfo::Type;
  std::vector<OptionInfo> options = {
      {.name = "channels",
       .type = Type::kInt,
       .default_text = "32",
       .choices = {},
       .help = "Channels of the first level"},
      {.name = "depth", .type = Type::kInt, .default_text = "4", .choices = {}, .help = "How often the map is halved"},
      {.name = "up",
       .type = Type::kWord,
       .default_text = "transpose",
       .choices = {"transpose", "resize"},
       .help = "The way up: transposed convolutions, or nearest neighbours behind a 1x1 convolution"}};
  for (const OptionInfo& option : image_options("128", "2")) options.push_back(option);
  return {
      {{.name = "unet", .summary = "U-Net: a class for every pixel, [N, classes, H, W]", .options = std::move(options)},
       build}};
}

}  // namespace pare
