#include "train/torch/fake_quantize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace pare {
namespace {

constexpr std::int64_t kBlock = 1 << 14;  ///< elements summed together, whatever the number of threads

/// To even, for |value| < 2^22; two additions that the compiler turns into vector code.
inline float rounded(float value) {
  constexpr float kMagic = 12582912.0F;
  return (value + kMagic) - kMagic;
}

/// The range around 0 in steps.
struct Bounds {
  float low, high;
};
Bounds bounds_of(const IntegerGrid& grid) {
  return {static_cast<float>(grid.low - grid.zero_point), static_cast<float>(grid.high - grid.zero_point)};
}

/// NaN stays NaN: a loss must not look finite.
inline float clamped(float value, Bounds bounds) { return std::min(std::max(value, bounds.low), bounds.high); }

template <class F>
void for_blocks(std::int64_t count, F&& work) {
  at::parallel_for(0, (count + kBlock - 1) / kBlock, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block)
      work(block, block * kBlock, std::min(count, (block + 1) * kBlock));
  });
}

void forward_block(const float* x, float* y, std::int64_t count, float scale, Bounds bounds) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = rounded(clamped(x[i] / scale, bounds)) * scale;
}

void backward_block(const float* x, const float* gradient, float* out, std::int64_t count, float scale, Bounds bounds) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float steps = x[i] / scale;
    out[i] = std::fabs(steps - clamped(steps, bounds)) <= 0.5F ? gradient[i] : 0.0F;
  }
}

/// Also the sum of gradient * dy/dscale.
double backward_block_with_scale(const float* x, const float* gradient, float* out, std::int64_t count, float scale,
                                 Bounds bounds) {
  constexpr std::int64_t kLanes = 8;
  double sum = 0;
  for (std::int64_t start = 0; start < count; start += 512) {
    const std::int64_t end = std::min(count, start + 512);
    float lanes[kLanes] = {};
    for (std::int64_t i = start; i < end; ++i) {
      const float steps = x[i] / scale, inside = clamped(steps, bounds);
      const bool passes = std::fabs(steps - inside) <= 0.5F;
      out[i] = passes ? gradient[i] : 0.0F;
      lanes[i % kLanes] += gradient[i] * (rounded(inside) - (passes ? steps : 0.0F));
    }
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  return sum;
}

class FakeQuantize : public torch::autograd::Function<FakeQuantize> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            double low, double high) {
    // Dense, in whatever order of memory: elements of x and of y pair up.
    const at::Tensor dense = x.is_non_overlapping_and_dense() ? x : x.contiguous();
    at::Tensor y = at::empty_like(dense);
    const Bounds bounds{static_cast<float>(low), static_cast<float>(high)};
    const auto step = scale.item<float>();
    const float* from = dense.const_data_ptr<float>();
    float* to = y.mutable_data_ptr<float>();
    for_blocks(dense.numel(), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      forward_block(from + begin, to + begin, end - begin, step, bounds);
    });
    context->save_for_backward({dense, scale});
    context->saved_data["low"] = low;
    context->saved_data["high"] = high;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1];
    const Bounds bounds{static_cast<float>(context->saved_data["low"].toDouble()),
                        static_cast<float>(context->saved_data["high"].toDouble())};
    at::Tensor out = at::empty_like(x), given = gradients[0];
    if (given.strides() != x.strides()) given = at::empty_like(x).copy_(given);
    const auto step = scale.item<float>();
    const float *values = x.const_data_ptr<float>(), *gradient = given.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::Tensor scale_gradient;
    if (!context->needs_input_grad(1)) {
      for_blocks(x.numel(), [&](std::int64_t, std::int64_t begin, std::int64_t end) {
        backward_block(values + begin, gradient + begin, to + begin, end - begin, step, bounds);
      });
    } else {
      std::vector<double> sums(static_cast<std::size_t>((x.numel() + kBlock - 1) / kBlock));
      for_blocks(x.numel(), [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
        sums[static_cast<std::size_t>(block)] =
            backward_block_with_scale(values + begin, gradient + begin, to + begin, end - begin, step, bounds);
      });
      const double features = static_cast<double>(x.numel()) / std::max<double>(1, x.dim() > 0 ? x.size(0) : 1);
      const double factor = 1 / std::sqrt(std::max(1.0, features * static_cast<double>(bounds.high)));
      scale_gradient = at::full_like(scale, factor * std::accumulate(sums.begin(), sums.end(), 0.0));
    }
    return {out, scale_gradient, at::Tensor(), at::Tensor()};
  }
};

/// The very same value with its gradient multiplied.
at::Tensor with_scaled_gradient(const at::Tensor& tensor, double factor) {
  const at::Tensor value = tensor.detach();
  return value + (tensor - value) * factor;
}

/// Smallest and largest level around 0, as they broadcast against the levels.
struct ChannelBounds {
  at::Tensor low, high;
};

ChannelBounds channel_bounds(const at::Tensor& level, bool per_channel, std::int64_t axis, const IntegerGrid& grid) {
  const at::Tensor low = at::full({}, grid.low - grid.zero_point, level.options()),
                   high = at::full({}, grid.high - grid.zero_point, level.options());
  const std::int64_t channels = per_channel ? level.size(axis) : 1;
  if (!grid.limit_pairs || level.numel() < 2 * channels) return {low, high};
  constexpr double kMaxPair = 128;
  const at::Tensor rows = per_channel ? level.movedim(axis, 0).reshape({channels, -1}) : level.reshape({1, -1});
  const auto largest = [&](const at::Tensor& magnitudes) {
    const at::Tensor second = std::get<0>(at::clamp(magnitudes, 0).topk(2, 1)).select(1, 1);
    return along_axis(at::clamp(kMaxPair - second, kMaxPair / 2), level, axis);
  };
  return {at::maximum(low, -largest(-rows)), at::minimum(high, largest(rows))};
}

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const at::Tensor& scale, const IntegerGrid& grid) {
  const Bounds bounds = bounds_of(grid);
  const at::Tensor plain = x.scalar_type() == at::kFloat ? x : x.to(at::kFloat);
  return FakeQuantize::apply(plain, scale, static_cast<double>(bounds.low), static_cast<double>(bounds.high));
}

at::Tensor along_axis(const at::Tensor& scale, const at::Tensor& x, std::int64_t axis) {
  if (scale.dim() == 0 || scale.numel() == 1) return scale.reshape({});
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(axis < 0 ? axis + x.dim() : axis)] = scale.numel();
  return scale.reshape(shape);
}

at::Tensor fake_quantize_channels(const at::Tensor& weight, const at::Tensor& scale, std::int64_t axis,
                                  const IntegerGrid& grid) {
  at::Tensor step = scale;
  if (scale.requires_grad()) {
    const double each = static_cast<double>(weight.numel()) / static_cast<double>(scale.numel());
    step = with_scaled_gradient(scale, 1 / std::sqrt(std::max(1.0, each * (grid.high - grid.zero_point))));
  }
  step = along_axis(step, weight, axis);
  const at::Tensor steps = weight / step, level = at::round(steps.detach());
  const ChannelBounds bounds = channel_bounds(level, scale.numel() > 1, axis, grid);
  const at::Tensor bounded = at::clamp(level, bounds.low, bounds.high);
  // Not the gradient of clamp(), which stops at the bounds themselves.
  return (bounded + bounded.eq(level) * (steps - steps.detach())) * step;
}

at::Tensor quantized_levels(const at::Tensor& weight, const at::Tensor& scale, std::int64_t axis,
                            const IntegerGrid& grid) {
  const at::Tensor plain = weight.detach();
  const at::Tensor level = at::round(plain / along_axis(scale.detach(), plain, axis));
  const ChannelBounds bounds = channel_bounds(level, scale.numel() > 1, axis, grid);
  return at::clamp(level, bounds.low, bounds.high) + grid.zero_point;
}

}  // namespace pare
