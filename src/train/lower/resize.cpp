// Resize and Upsample, number by number as ONNX Runtime computes them: places in float32, one axis after the other.
#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

struct ResizeRule {
  std::string mode = "nearest", place = "half_pixel", nearest = "round_prefer_floor", aspect = "stretch";
  float cubic_a = -0.75F;
  bool exclude_outside = false, antialias = false;
  LowerInts axes = {};
};

struct ResizeAxis {
  std::int64_t size = 0, out = 0;
  float scale = 1;  ///< out to size, as asked
};

/// Where output `i` lies in the input.
float source_of(const ResizeRule& rule, const ResizeAxis& axis, std::int64_t i) {
  const auto x = static_cast<float>(i), size = static_cast<float>(axis.size), out = static_cast<float>(axis.out);
  if (axis.scale == 1) return x;
  if (rule.place == "asymmetric") return x / axis.scale;
  if (rule.place == "align_corners") return axis.out == 1 ? 0 : x * (size - 1) / (out - 1);
  if (rule.place == "pytorch_half_pixel") return axis.out > 1 ? (x + 0.5F) / axis.scale - 0.5F : 0;
  if (rule.place == "tf_half_pixel_for_nn") return (x + 0.5F) / axis.scale;
  if (rule.place == "half_pixel_symmetric") {
    const float adjustment = out / (axis.scale * size), centre = size / 2;
    return centre * (1 - adjustment) + (x + 0.5F) / axis.scale - 0.5F;
  }
  return (x + 0.5F) / axis.scale - 0.5F;
}

std::int64_t nearest_of(const ResizeRule& rule, float x, bool shrinks) {
  float at = std::floor(x);
  if (rule.nearest == "ceil" || (rule.nearest == "simple" && shrinks)) at = std::ceil(x);
  if (rule.nearest == "round_prefer_ceil") at = std::floor(x + 0.5F);
  if (rule.nearest == "round_prefer_floor") at = std::ceil(x - 0.5F);
  return static_cast<std::int64_t>(at);
}

LowerInts nearest_places(const ResizeRule& rule, const ResizeAxis& axis) {
  LowerInts places;
  for (std::int64_t i = 0; i < axis.out; ++i)
    places.push_back(
        std::clamp<std::int64_t>(nearest_of(rule, source_of(rule, axis, i), axis.scale < 1), 0, axis.size - 1));
  return places;
}

/// Keys' kernel: weight of a sample at `distance`.
float cubic_weight(float distance, float a) {
  const float x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

float kernel_weight(const ResizeRule& rule, float distance) {
  return rule.mode == "cubic" ? cubic_weight(distance, rule.cubic_a) : std::max(0.0F, 1 - std::abs(distance));
}

/// [out, size]: what each output takes from each input.
at::Tensor weights_of(const ResizeRule& rule, const ResizeAxis& axis) {
  at::Tensor weights = at::zeros({axis.out, axis.size}, at::kFloat);
  auto row = weights.accessor<float, 2>();
  const bool cubic = rule.mode == "cubic";
  // Antialiasing widens the kernel by as much as the image shrinks; its sum is brought back to one.
  const float stretch = rule.antialias && axis.scale < 1 ? axis.scale : 1;
  const auto radius = static_cast<std::int64_t>(std::ceil((cubic ? 2.0F : 1.0F) / stretch));
  for (std::int64_t i = 0; i < axis.out; ++i) {
    float x = source_of(rule, axis, i);
    if (!cubic && !rule.antialias) x = std::clamp(x, 0.0F, static_cast<float>(axis.size - 1));
    const auto base = static_cast<std::int64_t>(std::floor(x));
    float sum = 0;
    for (std::int64_t at = base - radius; at <= base + radius + 1; ++at) {
      const float weight = kernel_weight(rule, (static_cast<float>(at) - x) * stretch);
      const bool outside = at < 0 || at >= axis.size;
      if (outside && rule.exclude_outside) continue;
      row[i][std::clamp<std::int64_t>(at, 0, axis.size - 1)] += weight;
      sum += weight;
    }
    if (rule.exclude_outside || rule.antialias)
      for (std::int64_t at = 0; at < axis.size; ++at) row[i][at] /= sum;
  }
  return weights;
}

bool is_identity(const LowerInts& places, std::int64_t size) {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] != static_cast<std::int64_t>(i)) return false;
  return static_cast<std::int64_t>(places.size()) == size;
}

/// The whole factor by which every element is repeated, as torch's own kernel repeats it; 0 if it is not that.
std::int64_t repeats(const LowerInts& places, std::int64_t size) {
  const auto out = static_cast<std::int64_t>(places.size());
  if (size == 0 || out % size != 0) return 0;
  const std::int64_t factor = out / size;
  const float step = static_cast<float>(size) / static_cast<float>(out);
  for (std::int64_t i = 0; i < out; ++i)
    if (places[static_cast<std::size_t>(i)] != i / factor ||
        static_cast<std::int64_t>(std::floor(static_cast<float>(i) * step)) != i / factor)
      return 0;
  return factor;
}

at::Tensor resize_nearest(const ResizeRule& rule, const std::vector<ResizeAxis>& axes, at::Tensor x) {
  std::vector<LowerInts> places;
  for (const ResizeAxis& axis : axes) places.push_back(nearest_places(rule, axis));
  if (x.dim() == 4 && x.is_floating_point() && is_identity(places[0], axes[0].size) &&
      is_identity(places[1], axes[1].size) && repeats(places[2], axes[2].size) > 0 &&
      repeats(places[3], axes[3].size) > 0)
    return at::upsample_nearest2d(x, {axes[2].out, axes[3].out});
  for (std::size_t i = 0; i < places.size(); ++i)
    if (!is_identity(places[i], axes[i].size))
      x = at::index_select(x, static_cast<std::int64_t>(i), at::tensor(places[i], at::kLong));
  return x;
}

/// Torch's own kernel computes the same.
bool torch_is_linear(const ResizeRule& rule, const std::vector<ResizeAxis>& axes, const at::Tensor& x) {
  if (rule.mode != "linear" || rule.antialias || rule.exclude_outside || x.dim() != 4) return false;
  if (axes[0].out != axes[0].size || axes[1].out != axes[1].size) return false;
  return rule.place == "align_corners" || rule.place == "half_pixel" ||
         (rule.place == "pytorch_half_pixel" && axes[2].out > 1 && axes[3].out > 1);
}

at::Tensor interpolate(const ResizeRule& rule, const std::vector<ResizeAxis>& axes, at::Tensor x) {
  if (torch_is_linear(rule, axes, x))
    return at::upsample_bilinear2d(x, {axes[2].out, axes[3].out}, rule.place == "align_corners",
                                   std::optional<double>(axes[2].scale), std::optional<double>(axes[3].scale));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].out == axes[i].size && axes[i].scale == 1) continue;
    const auto axis = static_cast<std::int64_t>(i);
    const at::Tensor weights = weights_of(rule, axes[i]).to(x.scalar_type());
    x = at::matmul(x.movedim(axis, -1), weights.t()).movedim(-1, axis);
  }
  return x;
}

/// Sizes asked for while the aspect stays: the smaller or larger of the scales counts for all.
void keep_aspect(const ResizeRule& rule, std::vector<ResizeAxis>& axes, const LowerInts& over) {
  if (rule.aspect == "stretch") return;
  float scale = axes[static_cast<std::size_t>(over[0])].scale;
  for (const std::int64_t axis : over) {
    const float other = axes[static_cast<std::size_t>(axis)].scale;
    scale = rule.aspect == "not_larger" ? std::min(scale, other) : std::max(scale, other);
  }
  for (const std::int64_t at : over) {
    ResizeAxis& axis = axes[static_cast<std::size_t>(at)];
    axis.scale = scale;
    axis.out = static_cast<std::int64_t>(std::round(scale * static_cast<float>(axis.size)));
  }
}

at::Tensor resize(const ResizeRule& rule, const at::Tensor& x, const at::Tensor& scales, const at::Tensor& sizes) {
  std::vector<ResizeAxis> axes;
  for (const std::int64_t size : x.sizes()) axes.push_back({size, size, 1});
  LowerInts over = rule.axes;
  if (over.empty())
    for (std::int64_t i = 0; i < x.dim(); ++i) over.push_back(i);
  for (std::int64_t& axis : over) axis = wrap_axis(axis, x.dim());
  const at::Tensor wanted = sizes.defined() ? sizes.to(at::kDouble) : scales.to(at::kDouble);
  if (wanted.numel() != static_cast<std::int64_t>(over.size()))
    fail(ErrorCode::kInvalidArgument, "{} sizes or scales for {} axes", wanted.numel(), over.size());
  for (std::size_t i = 0; i < over.size(); ++i) {
    ResizeAxis& axis = axes[static_cast<std::size_t>(over[i])];
    const double value = wanted[static_cast<std::int64_t>(i)].item<double>();
    axis.scale = static_cast<float>(value);
    if (sizes.defined()) axis.scale = static_cast<float>(value) / static_cast<float>(axis.size);
    axis.out = static_cast<std::int64_t>(sizes.defined() ? static_cast<float>(value)
                                                         : axis.scale * static_cast<float>(axis.size));
  }
  if (sizes.defined()) keep_aspect(rule, axes, over);
  if (std::all_of(axes.begin(), axes.end(), [](const ResizeAxis& axis) { return axis.scale == 1; })) return x;
  return rule.mode == "nearest" ? resize_nearest(rule, axes, x) : interpolate(rule, axes, x);
}

/// Operator sets up to 10: no half pixels, and what is nearest depends on the direction.
TorchKernel make_old(const LowerInput& input, const at::Tensor& fixed) {
  ResizeRule rule = {.place = "asymmetric", .nearest = "simple"};
  rule.mode = input.node.string_or("mode", "nearest");
  if (rule.mode == "bilinear") rule.mode = "linear";
  if (rule.mode != "nearest" && rule.mode != "linear") fail(ErrorCode::kUnsupported, "mode '{}'", rule.mode);
  return [rule, fixed](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{resize(rule, in[0], fixed.defined() ? fixed : in[1], {})};
  };
}

TorchKernel make_upsample(const LowerInput& input) {
  at::Tensor fixed;
  if (const Attribute* found = input.node.find_attribute("scales"))
    if (const auto* scales = std::get_if<std::vector<float>>(&found->value)) fixed = at::tensor(*scales);
  if (input.node.find_attribute("height_scale") != nullptr)
    fixed = at::tensor(
        std::vector<float>{1, 1, input.node.float_or("height_scale", 1), input.node.float_or("width_scale", 1)});
  return make_old(input, fixed);
}

TorchKernel make_resize(const LowerInput& input) {
  if (input.opset < 11) return make_old(input, {});
  const Node& node = input.node;
  const ResizeRule rule = {.mode = node.string_or("mode", "nearest"),
                           .place = node.string_or("coordinate_transformation_mode", "half_pixel"),
                           .nearest = node.string_or("nearest_mode", "round_prefer_floor"),
                           .aspect = node.string_or("keep_aspect_ratio_policy", "stretch"),
                           .cubic_a = node.float_or("cubic_coeff_a", -0.75F),
                           .exclude_outside = node.int_or("exclude_outside", 0) != 0,
                           .antialias = node.int_or("antialias", 0) != 0,
                           .axes = node.ints_or("axes", {})};
  if (rule.place == "tf_crop_and_resize") fail(ErrorCode::kUnsupported, "cropping while resizing");
  return [rule](std::span<const at::Tensor> in, const PassOptions&) {
    const bool by_scale = has_input(in, 2) && in[2].numel() > 0;
    return Tensors{resize(rule, in[0], by_scale ? in[2] : at::Tensor(), by_scale ? at::Tensor() : in[3])};
  };
}

}  // namespace

void lower_resize(LoweringTable& table) {
  table.add("Resize", make_resize);
  table.add("Upsample", make_upsample);
}

}  // namespace pare
