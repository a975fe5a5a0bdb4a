// A perceptron: linear layers with ReLU between them. The smallest teacher and student there are.
#include <charconv>

#include "architecture/family.h"
#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

constexpr std::int64_t kMostUnits = 1'000'000;

std::vector<std::int64_t> parse_widths(const std::string& text) {
  std::vector<std::int64_t> widths;
  for (const std::string& word : split(text, '-')) {
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), width);
    if (error != std::errc() || end != word.data() + word.size() || width < 1 || width > kMostUnits)
      fail(ErrorCode::kInvalidArgument,
           "widths '{}': '{}' is no number of units (1 to {})\n  remedy: inputs-hidden-...-outputs, as in 64-256-10",
           text, word, kMostUnits);
    widths.push_back(width);
  }
  if (widths.size() < 2)
    fail(ErrorCode::kInvalidArgument, "widths '{}' is one number, at least inputs and outputs are needed: 64-10", text);
  return widths;
}

NetValue add_input(NetBuilder& net, const StepOptions& options, std::int64_t units) {
  if (options.word("size").empty()) return net.flat_input("x", units);
  const NetValue image = add_image_input(net, options);
  const NetValue x = net.flatten("flatten", image);
  if (x.channels != units)
    fail(ErrorCode::kInvalidArgument, "{} bands of {},{} pixels are {} inputs, widths begin with {}", image.channels,
         image.height, image.width, x.channels, units);
  return x;
}

void build(NetBuilder& net, const StepOptions& options) {
  const std::vector<std::int64_t> widths = parse_widths(options.word("widths"));
  NetValue x = add_input(net, options, widths.front());
  for (std::size_t layer = 1; layer < widths.size(); ++layer) {
    const std::string index = std::to_string(layer);
    const bool last = layer + 1 == widths.size();
    x = net.linear("fc" + index, x, widths[layer], !last);
    if (!last) x = net.relu("relu" + index, x);
  }
  net.output("logits", x);
}

}  // namespace

ArchitectureFamily mlp() {
  using Type = OptionInfo::Type;
  return {{{.name = "mlp",
            .summary = "Perceptron: linear layers and ReLU, the smallest teacher or student",
            .options = {{.name = "widths",
                         .type = Type::kWord,
                         .default_text = "64-256-10",
                         .choices = {},
                         .help = "Inputs, hidden units, outputs: 64-256-10"},
                        {.name = "size",
                         .type = Type::kWord,
                         .default_text = "",
                         .choices = {},
                         .help = "Pixels, if the input is an image to be flattened (default: vectors)"},
                        {.name = "bands",
                         .type = Type::kInt,
                         .default_text = "1",
                         .choices = {},
                         .help = "Channels of such an image"},
                        seed_option()}},
           build}};
}

}  // namespace pare
