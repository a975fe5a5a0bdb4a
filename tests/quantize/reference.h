// reference.h - quantization arithmetic written out as plainly as possible: scalar, rounded half to even, saturated.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace pare::testing {

inline std::uint8_t reference_quantize(float value, float scale, int zero_point) {
  const double steps = std::nearbyint(static_cast<double>(value) / static_cast<double>(scale)) + zero_point;
  return static_cast<std::uint8_t>(std::clamp(steps, 0.0, 255.0));
}

inline float reference_dequantize(int stored, float scale, int zero_point) {
  return static_cast<float>(stored - zero_point) * scale;
}

/// A square convolution with stride 1 and padding on all sides; the padding is the zero point. One image, C x H x W.
struct ReferenceConv {
  int channels_in = 1, channels_out = 1, height = 1, width = 1, kernel = 1, pad = 0;
  float x_scale = 1, y_scale = 1;
  int x_zero = 0, y_zero = 0;
  std::vector<float> w_scales;

  [[nodiscard]] std::vector<std::uint8_t> run(const std::vector<std::uint8_t>& x, const std::vector<std::int8_t>& w,
                                              const std::vector<std::int32_t>& bias) const {
    const int out_h = height + 2 * pad - kernel + 1, out_w = width + 2 * pad - kernel + 1;
    std::vector<std::uint8_t> y;
    for (int o = 0; o < channels_out; ++o)
      for (int row = 0; row < out_h; ++row)
        for (int column = 0; column < out_w; ++column) {
          std::int64_t sum = bias.empty() ? 0 : bias[static_cast<std::size_t>(o)];
          for (int c = 0; c < channels_in; ++c)
            for (int ky = 0; ky < kernel; ++ky)
              for (int kx = 0; kx < kernel; ++kx) {
                const int iy = row + ky - pad, ix = column + kx - pad;
                if (iy < 0 || ix < 0 || iy >= height || ix >= width) continue;
                const auto at = static_cast<std::size_t>((c * height + iy) * width + ix);
                const auto wt = static_cast<std::size_t>(((o * channels_in + c) * kernel + ky) * kernel + kx);
                sum += static_cast<std::int64_t>(x[at] - x_zero) * w[wt];
              }
          const double real = static_cast<double>(sum) * x_scale * w_scales[static_cast<std::size_t>(o)];
          y.push_back(reference_quantize(static_cast<float>(real), y_scale, y_zero));
        }
    return y;
  }
};

}  // namespace pare::testing
