// window.h - sliding windows as ONNX describes them: strides, dilations, pads of both sides, automatic pads.
#pragma once

#include <algorithm>
#include <string>

#include "train/lower/kernels.h"

namespace pare {

struct SlidingWindow {
  LowerInts kernel, strides, dilations;
  LowerInts pads;  ///< begin of each axis, then end of each axis
  std::string auto_pad;
  std::int64_t groups = 1;
  bool ceil_mode = false;
};

inline SlidingWindow read_window(const Node& node) {
  return {.kernel = node.ints_or("kernel_shape", {}),
          .strides = node.ints_or("strides", {}),
          .dilations = node.ints_or("dilations", {}),
          .pads = node.ints_or("pads", {}),
          .auto_pad = node.string_or("auto_pad", "NOTSET"),
          .groups = node.int_or("group", 1),
          .ceil_mode = node.int_or("ceil_mode", 0) != 0};
}

inline LowerInts or_ones(const LowerInts& values, std::size_t axes) {
  return values.empty() ? LowerInts(axes, 1) : values;
}

/// SAME_UPPER, SAME_LOWER and VALID as pads for that image.
inline LowerInts concrete_pads(const SlidingWindow& window, at::IntArrayRef image, at::IntArrayRef kernel) {
  const std::size_t axes = image.size();
  if (window.auto_pad == "NOTSET" || window.auto_pad.empty())
    return window.pads.empty() ? LowerInts(2 * axes, 0) : window.pads;
  LowerInts pads(2 * axes, 0);
  if (window.auto_pad == "VALID") return pads;
  const LowerInts strides = or_ones(window.strides, axes), dilations = or_ones(window.dilations, axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t reach = dilations[i] * (kernel[i] - 1) + 1;
    const std::int64_t out = (image[i] + strides[i] - 1) / strides[i];
    const std::int64_t total = std::max<std::int64_t>(0, (out - 1) * strides[i] + reach - image[i]);
    pads[i] = window.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    pads[axes + i] = total - pads[i];
  }
  return pads;
}

/// The same pads as torch lists them: begin and end of the last axis, then of the one before.
inline LowerInts torch_pads(const LowerInts& pads) {
  LowerInts around;
  for (std::size_t i = pads.size() / 2; i-- > 0;) around.insert(around.end(), {pads[i], pads[pads.size() / 2 + i]});
  return around;
}

}  // namespace pare
