// VGG (Simonyan and Zisserman 2015) with BatchNormalization: 3x3 convolutions, halved by pooling.
#include "architecture/family.h"
#include "core/fail.h"

namespace pare {
namespace {

using Stages = std::vector<std::vector<std::int64_t>>;

void build(NetBuilder& net, const StepOptions& options, const Stages& stages) {
  const WidthScale scale(options);
  NetValue x = add_image_input(net, options);
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (std::size_t i = 0; i < stages[stage].size(); ++i) {
      const std::string place = fmt::format("stage{}.", stage + 1), index = std::to_string(i + 1);
      x = net.conv(place + "conv" + index, x, {.outputs = scale(stages[stage][i])});
      x = net.relu(place + "relu" + index, net.batch_norm(place + "bn" + index, x));
    }
    x = net.max_pool(fmt::format("stage{}.pool", stage + 1), x, 2, 2);
  }
  const std::int64_t classes = class_count(options);
  if (options.word("head") == "pool") return add_classifier(net, x, "classifier", classes);
  x = net.flatten("flatten", x);
  for (const char* index : {"1", "2"})
    x = net.relu(std::string("relu") + index, net.linear(std::string("fc") + index, x, scale(4096), true));
  net.output("logits", net.linear("classifier", x, classes));
}

Architecture vgg_of(int layers, const Stages& stages) {
  std::vector<OptionInfo> options = scaled_image_options("32", "10");
  options.push_back({.name = "head",
                     .type = OptionInfo::Type::kWord,
                     .default_text = "pool",
                     .choices = {"pool", "dense"},
                     .help = "Average pooling and one linear layer, or the two wide layers of 4096 of the paper"});
  return {{.name = fmt::format("vgg{}", layers),
           .summary = fmt::format("VGG of {} layers with BatchNormalization: plain 3x3 convolutions", layers),
           .options = std::move(options)},
          [stages](NetBuilder& net, const StepOptions& values) { build(net, values, stages); }};
}

}  // namespace

ArchitectureFamily vgg() {
  return {vgg_of(11, {{64}, {128}, {256, 256}, {512, 512}, {512, 512}}),
          vgg_of(16, {{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}})};
}

}  // namespace pare
