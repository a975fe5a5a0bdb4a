#include "fit/patches.h"

#include <algorithm>

#include "core/fail.h"
#include "core/random.h"

namespace pare {
namespace {

/// Where the kernel lies over the input, resolved for one input size.
struct Geometry {
  Shape input, output;  ///< sizes along the spatial axes
  Shape begins;         ///< padding before each axis
  std::int64_t plane = 1, places = 1;
};

Geometry geometry_of(const LinearLayer& layer, const Shape& input, const Shape& output) {
  Geometry geometry;
  geometry.input.assign(input.begin() + 2, input.end());
  geometry.output.assign(output.begin() + 2, output.end());
  const std::size_t axes = layer.kernel.size();
  if (geometry.input.size() != axes || geometry.output.size() != axes || input[1] != layer.inputs)
    fail(ErrorCode::kInternal, "fit: input {} and output {} do not fit the layer", shape_text(input),
         shape_text(output));
  for (std::size_t a = 0; a < axes; ++a) {
    std::int64_t begin = layer.auto_pad == "VALID" ? 0 : layer.pads[a];
    if (layer.auto_pad.starts_with("SAME")) {
      const std::int64_t reach = (layer.kernel[a] - 1) * layer.dilations[a] + 1;
      const std::int64_t pad =
          std::max<std::int64_t>(0, (geometry.output[a] - 1) * layer.strides[a] + reach - geometry.input[a]);
      begin = layer.auto_pad == "SAME_UPPER" ? pad / 2 : pad - pad / 2;
    }
    geometry.begins.push_back(begin);
  }
  geometry.plane = element_count(geometry.input);
  geometry.places = element_count(geometry.output);
  return geometry;
}

/// For one output place: the offset of each tap within an input plane, -1 in the padding.
void tap_offsets(const LinearLayer& layer, const Geometry& geometry, std::int64_t place,
                 std::vector<std::int64_t>& offsets) {
  const std::size_t axes = layer.kernel.size();
  Shape start(axes);
  for (std::size_t a = axes; a-- > 0;) {
    start[a] = place % geometry.output[a] * layer.strides[a] - geometry.begins[a];
    place /= geometry.output[a];
  }
  for (std::int64_t tap = 0; tap < layer.taps; ++tap) {
    std::int64_t rest = tap, offset = 0, stride = 1;
    for (std::size_t a = axes; a-- > 0;) {
      const std::int64_t at = start[a] + rest % layer.kernel[a] * layer.dilations[a];
      rest /= layer.kernel[a];
      if (at < 0 || at >= geometry.input[a]) {
        offset = -1;
        break;
      }
      offset += at * stride;
      stride *= geometry.input[a];
    }
    offsets[static_cast<std::size_t>(tap)] = offset;
  }
}

}  // namespace

std::int64_t position_count(const LinearLayer& layer, const Shape& output) {
  return element_count(output) / std::max<std::int64_t>(1, layer.outputs);
}

std::vector<std::int64_t> sample_positions(std::int64_t total, std::int64_t wanted, std::uint64_t seed) {
  std::vector<std::int64_t> positions;
  const std::int64_t count = std::min(total, wanted);
  positions.reserve(static_cast<std::size_t>(count));
  Rng rng(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t first = i * total / count, last = (i + 1) * total / count;
    positions.push_back(count == total ? i : first + rng.below(last - first));
  }
  return positions;
}

void gather_patches(const LinearLayer& layer, std::span<const std::int64_t> channels, const Tensor& input,
                    const Shape& output, std::span<const std::int64_t> positions, bool constant, float* rows) {
  const auto values = input.data<float>();
  const auto count = static_cast<std::int64_t>(channels.size());
  const std::int64_t width = count * layer.taps + (constant ? 1 : 0);
  if (!layer.convolution) {
    for (const std::int64_t position : positions) {
      const float* from = values.data() + position * layer.inputs;
      for (std::int64_t c = 0; c < count; ++c) rows[c] = from[channels[static_cast<std::size_t>(c)]];
      if (constant) rows[count] = 1.0F;
      rows += width;
    }
    return;
  }
  const Geometry geometry = geometry_of(layer, input.shape(), output);
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(layer.taps));
  for (const std::int64_t position : positions) {
    const float* sample = values.data() + position / geometry.places * layer.inputs * geometry.plane;
    tap_offsets(layer, geometry, position % geometry.places, offsets);
    const bool inside = std::none_of(offsets.begin(), offsets.end(), [](std::int64_t o) { return o < 0; });
    float* out = rows;
    for (const std::int64_t channel : channels) {
      const float* plane = sample + channel * geometry.plane;
      if (inside)
        for (const std::int64_t offset : offsets) *out++ = plane[offset];
      else
        for (const std::int64_t offset : offsets) *out++ = offset < 0 ? 0.0F : plane[offset];
    }
    if (constant) *out = 1.0F;
    rows += width;
  }
}

void add_outputs(const LinearLayer& layer, const Tensor& value, std::span<const std::int64_t> positions, float factor,
                 float* rows) {
  const auto values = value.data<float>();
  const std::int64_t outputs = layer.outputs;
  if (!layer.convolution) {
    for (const std::int64_t position : positions) {
      const float* from = values.data() + position * outputs;
      for (std::int64_t o = 0; o < outputs; ++o) rows[o] += factor * from[o];
      rows += outputs;
    }
    return;
  }
  const std::int64_t places = element_count(value.shape()) / (value.shape()[0] * outputs);
  for (const std::int64_t position : positions) {
    const float* from = values.data() + position / places * outputs * places + position % places;
    for (std::int64_t o = 0; o < outputs; ++o) rows[o] += factor * from[o * places];
    rows += outputs;
  }
}

}  // namespace pare
