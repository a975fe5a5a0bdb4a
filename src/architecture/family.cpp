#include "architecture/family.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

constexpr double kMostWidth = 16;
constexpr std::int64_t kMostSize = 16384, kMostBands = 4096, kMostClasses = 1'000'000;

}  // namespace

OptionInfo seed_option() {
  return {.name = "seed",
          .type = OptionInfo::Type::kInt,
          .default_text = "0",
          .choices = {},
          .help = "Seed of the weights"};
}

std::vector<OptionInfo> image_options(const std::string& size, const std::string& classes) {
  using Type = OptionInfo::Type;
  return {
      {.name = "size",
       .type = Type::kWord,
       .default_text = size,
       .choices = {},
       .help = "Pixels of the input: one number, height,width, or any (left open)"},
      {.name = "bands", .type = Type::kInt, .default_text = "3", .choices = {}, .help = "Channels of the input"},
      {.name = "classes", .type = Type::kInt, .default_text = classes, .choices = {}, .help = "Channels of the output"},
      seed_option()};
}

std::vector<OptionInfo> scaled_image_options(const std::string& size, const std::string& classes) {
  std::vector<OptionInfo> options = image_options(size, classes);
  options.insert(options.begin(), {.name = "width",
                                   .type = OptionInfo::Type::kNumber,
                                   .default_text = "1",
                                   .choices = {},
                                   .help = "Factor on all inner channel counts: 0.5 is a quarter of the weights"});
  return options;
}

ImageSize parse_image_size(const std::string& text) {
  if (trim(text) == "any") return {};
  std::vector<std::int64_t> numbers;
  for (const std::string& word : split(text, text.find('x') != std::string::npos ? 'x' : ',')) {
    const std::string digits = trim(word);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || number < 1 || number > kMostSize) break;
    numbers.push_back(number);
  }
  const auto words =
      static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return c == 'x' || c == ','; })) +
      1;
  if (numbers.size() != words || words > 2)
    fail(ErrorCode::kInvalidArgument,
         "size '{}' is neither pixels (1 to {}) nor height,width nor any\n  remedy: 32 or 32,48", text, kMostSize);
  return {numbers.front(), numbers.back()};
}

std::int64_t whole_number(const StepOptions& options, const std::string& name, std::int64_t least, std::int64_t most) {
  const std::int64_t number = options.integer(name);
  if (number < least || number > most)
    fail(ErrorCode::kInvalidArgument, "{} {} is not between {} and {}", name, number, least, most);
  return number;
}

std::int64_t class_count(const StepOptions& options) { return whole_number(options, "classes", 1, kMostClasses); }

WidthScale::WidthScale(const StepOptions& options) : factor_(options.number("width")) {
  if (!(factor_ > 0) || factor_ > kMostWidth)
    fail(ErrorCode::kInvalidArgument, "width {} is not above 0 and at most {}; 0.5 halves the channels",
         options.word("width"), kMostWidth);
}

std::int64_t WidthScale::operator()(std::int64_t channels) const {
  return std::max<std::int64_t>(1, std::llround(factor_ * static_cast<double>(channels)));
}

std::int64_t WidthScale::by_eights(std::int64_t channels) const {
  const double wanted = factor_ * static_cast<double>(channels);
  const std::int64_t eights = std::max<std::int64_t>(8, static_cast<std::int64_t>(wanted + 4) / 8 * 8);
  return static_cast<double>(eights) < 0.9 * wanted ? eights + 8 : eights;
}

NetValue add_image_input(NetBuilder& net, const StepOptions& options) {
  const ImageSize size = parse_image_size(options.word("size"));
  return net.input("x", whole_number(options, "bands", 1, kMostBands), size.height, size.width);
}

void add_classifier(NetBuilder& net, const NetValue& x, const std::string& name, std::int64_t classes) {
  const NetValue pooled = net.flatten("flatten", net.global_average_pool("pool", x));
  net.output("logits", net.linear(name, pooled, classes));
}

}  // namespace pare
