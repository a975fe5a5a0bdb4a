// Pooling over windows and over the whole image.
#include <limits>
#include <utility>

#include "core/fail.h"
#include "train/lower/window.h"

namespace pare {
namespace {

LowerInts spatial_axes(const at::Tensor& x) {
  LowerInts axes;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

/// One axis of a pooling: `after` may be more than was asked for, so that the last window of ceil_mode is whole.
struct PoolAxis {
  std::int64_t size = 0, kernel = 0, stride = 1, dilation = 1, before = 0, after = 0;
  std::int64_t asked_after = 0;
  std::int64_t out = 0;
  [[nodiscard]] std::int64_t reach() const { return dilation * (kernel - 1) + 1; }
};

std::vector<PoolAxis> pool_axes(const SlidingWindow& window, const at::Tensor& x) {
  const std::size_t count = window.kernel.size();
  const LowerInts pads = concrete_pads(window, x.sizes().slice(2), window.kernel);
  const LowerInts strides = or_ones(window.strides, count), dilations = or_ones(window.dilations, count);
  std::vector<PoolAxis> axes;
  for (std::size_t i = 0; i < count; ++i) {
    PoolAxis axis = {.size = x.size(static_cast<std::int64_t>(i) + 2),
                     .kernel = window.kernel[i],
                     .stride = strides[i],
                     .dilation = dilations[i],
                     .before = pads[i],
                     .after = pads[count + i],
                     .asked_after = pads[count + i]};
    const std::int64_t room = axis.size + axis.before + axis.after - axis.reach();
    axis.out = room / axis.stride + 1;
    if (window.ceil_mode && room % axis.stride != 0) {
      // A window that would begin beyond the image is left out.
      if (axis.out * axis.stride < axis.size + axis.before) ++axis.out;
      axis.after = std::max(axis.after, (axis.out - 1) * axis.stride + axis.reach() - axis.size - axis.before);
    }
    axes.push_back(axis);
  }
  return axes;
}

LowerInts list(const std::vector<PoolAxis>& axes, std::int64_t PoolAxis::* member) {
  LowerInts out;
  for (const PoolAxis& axis : axes) out.push_back(axis.*member);
  return out;
}

LowerInts both_pads(const std::vector<PoolAxis>& axes) {
  LowerInts pads = list(axes, &PoolAxis::before), ends = list(axes, &PoolAxis::after);
  pads.insert(pads.end(), ends.begin(), ends.end());
  return pads;
}

/// What torch's own pads can express.
bool torch_can_pad(const std::vector<PoolAxis>& axes) {
  return std::all_of(axes.begin(), axes.end(),
                     [](const PoolAxis& axis) { return axis.before == axis.after && 2 * axis.before <= axis.kernel; });
}

/// Images of one dimension are pooled as images of one row.
struct AsImage {
  AsImage(const at::Tensor& input, const SlidingWindow& window) : x(input), axes(pool_axes(window, input)) {
    flat = axes.size() == 1;
    if (!flat) return;
    x = x.unsqueeze(2);
    axes.insert(axes.begin(), PoolAxis{.size = 1, .kernel = 1, .out = 1});
  }
  [[nodiscard]] at::Tensor back(const at::Tensor& y) const { return flat ? y.squeeze(2) : y; }
  at::Tensor x;
  std::vector<PoolAxis> axes;
  bool flat = false;
};

TorchKernel make_max_pool(const LowerInput& input) {
  if (!input.node.output(1).empty()) fail(ErrorCode::kUnsupported, "the places of the maxima (second output)");
  return [window = read_window(input.node)](std::span<const at::Tensor> in, const PassOptions&) {
    AsImage image(in[0], window);
    LowerInts pads = list(image.axes, &PoolAxis::before);
    if (!torch_can_pad(image.axes)) {
      const at::Tensor& x = image.x;
      const bool floating = x.is_floating_point();
      image.x =
          floating ? at::constant_pad_nd(x, torch_pads(both_pads(image.axes)), -std::numeric_limits<double>::infinity())
                   : at::constant_pad_nd(x, torch_pads(both_pads(image.axes)), x.scalar_type() == at::kByte ? 0 : -128);
      std::fill(pads.begin(), pads.end(), 0);
    }
    const LowerInts kernel = list(image.axes, &PoolAxis::kernel), strides = list(image.axes, &PoolAxis::stride),
                    dilations = list(image.axes, &PoolAxis::dilation);
    return Tensors{image.back(kernel.size() == 3 ? at::max_pool3d(image.x, kernel, strides, pads, dilations)
                                                 : at::max_pool2d(image.x, kernel, strides, pads, dilations))};
  };
}

/// How much of the kernel's area each window covers, where only the image (or the image with its asked pads) counts.
at::Tensor covered_share(const std::vector<PoolAxis>& axes, bool count_pads, at::ScalarType type) {
  at::Tensor share = at::ones({1, 1}, at::kDouble);
  for (const PoolAxis& axis : axes) {
    const std::int64_t low = count_pads ? -axis.before : 0;
    const std::int64_t high = axis.size + (count_pads ? axis.asked_after : 0);
    at::Tensor line = at::empty({axis.out}, at::kDouble);
    for (std::int64_t i = 0; i < axis.out; ++i) {
      std::int64_t inside = 0;
      for (std::int64_t k = 0; k < axis.kernel; ++k) {
        const std::int64_t at = i * axis.stride - axis.before + k * axis.dilation;
        inside += at >= low && at < high ? 1 : 0;
      }
      line.data_ptr<double>()[i] = static_cast<double>(inside) / static_cast<double>(axis.kernel);
    }
    share = share.unsqueeze(-1) * line;
  }
  return share.to(type);
}

at::Tensor window_mean(const AsImage& image, const LowerInts& pads, bool count_pads) {
  const LowerInts kernel = list(image.axes, &PoolAxis::kernel), strides = list(image.axes, &PoolAxis::stride);
  if (kernel.size() == 2) return at::avg_pool2d(image.x, kernel, strides, pads, false, count_pads);
  const at::ScalarType type = image.x.scalar_type();  // torch has no volumes of bfloat16
  const at::Tensor x = cast_to(image.x, type == at::kBFloat16 ? at::kFloat : type);
  return cast_to(at::avg_pool3d(x, kernel, strides, pads, false, count_pads), type);
}

/// Windows with gaps: torch has none for means, so a convolution of each channel with itself.
at::Tensor dilated_mean(const AsImage& image) {
  const LowerInts kernel = list(image.axes, &PoolAxis::kernel);
  LowerInts shape = {image.x.size(1), 1};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  const auto area = static_cast<double>(c10::multiply_integers(kernel));
  return at::convolution(image.x, at::full(shape, 1 / area, image.x.options()), {}, list(image.axes, &PoolAxis::stride),
                         LowerInts(kernel.size(), 0), list(image.axes, &PoolAxis::dilation), false,
                         LowerInts(kernel.size(), 0), image.x.size(1));
}

TorchKernel make_average_pool(const LowerInput& input) {
  const bool count_pads = input.node.int_or("count_include_pad", 0) != 0;
  return [window = read_window(input.node), count_pads](std::span<const at::Tensor> in, const PassOptions&) {
    AsImage image(in[0], window);
    const bool dense =
        std::all_of(image.axes.begin(), image.axes.end(), [](const PoolAxis& axis) { return axis.dilation == 1; });
    if (dense && torch_can_pad(image.axes))
      return Tensors{image.back(window_mean(image, list(image.axes, &PoolAxis::before), count_pads))};
    image.x = at::constant_pad_nd(image.x, torch_pads(both_pads(image.axes)));
    const at::Tensor mean = dense ? window_mean(image, LowerInts(image.axes.size(), 0), true) : dilated_mean(image);
    return Tensors{image.back(mean / covered_share(image.axes, count_pads, mean.scalar_type()))};
  };
}

}  // namespace

void lower_pooling(LoweringTable& table) {
  table.add("MaxPool", make_max_pool);
  table.add("AveragePool", make_average_pool);
  table.add("GlobalAveragePool", of_one([](const at::Tensor& x) { return x.mean(spatial_axes(x), true); }));
  table.add("GlobalMaxPool", of_one([](const at::Tensor& x) { return at::amax(x, spatial_axes(x), true); }));
}

}  // namespace pare
