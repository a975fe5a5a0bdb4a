// Operators that join, cut out and pick elements.
#include <algorithm>
#include <limits>

#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

TorchKernel make_concat(const LowerInput& input) {
  return [axis = input.node.int_or("axis", 1)](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::cat(same_precision_of(in), axis)};
  };
}

TorchKernel make_split(const LowerInput& input) {
  const std::int64_t axis = input.node.int_or("axis", 0);
  const auto count = static_cast<std::int64_t>(input.node.outputs.size());
  return
      [axis, count, option = ints_option(input.node, "split", 1)](std::span<const at::Tensor> in, const PassOptions&) {
        LowerInts sizes = option.of(in);
        if (sizes.empty()) {  // equal parts, the last one what is left
          const std::int64_t size = in[0].size(axis), part = (size + count - 1) / count;
          for (std::int64_t i = 0; i < count; ++i)
            sizes.push_back(std::max<std::int64_t>(0, std::min(part, size - i * part)));
        }
        return at::split_with_sizes(in[0], sizes, axis);
      };
}

/// One axis of a Slice, whose limits may lie anywhere.
at::Tensor slice(const at::Tensor& x, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const std::int64_t size = x.size(axis);
  if (step > 0) return at::slice(x, axis, begin, end, step);
  const auto limit = [&](std::int64_t at, std::int64_t low) {
    return std::clamp<std::int64_t>(at < 0 ? at + size : at, low, size - 1);
  };
  // An end far below zero means: to the first element, and with it.
  begin = limit(begin, 0);
  end = end < -size ? -1 : limit(end, -1);
  const at::Tensor places = at::arange(begin, std::min(begin, end), step, at::kLong);
  return at::index_select(x, axis, begin <= end ? places.slice(0, 0, 0) : places);
}

TorchKernel make_slice(const LowerInput& input) {
  const IntsOption begins = ints_option(input.node, "starts", 1), ends = ints_option(input.node, "ends", 2),
                   axes = ints_option(input.node, "axes", 3), steps = ints_option(input.node, "steps", 4);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const LowerInts begin = begins.of(in), end = ends.of(in);
    LowerInts over = axes.of(in);
    const LowerInts step = steps.given(in) ? steps.of(in) : LowerInts(begin.size(), 1);
    if (!axes.given(in))
      for (std::size_t i = 0; i < begin.size(); ++i) over.push_back(static_cast<std::int64_t>(i));
    at::Tensor y = in[0];
    for (std::size_t i = 0; i < begin.size(); ++i) y = slice(y, wrap_axis(over[i], y.dim()), begin[i], end[i], step[i]);
    return Tensors{y};
  };
}

/// Places from the end as places from the beginning.
at::Tensor wrapped(const at::Tensor& places, std::int64_t size) {
  const at::Tensor at = places.to(at::kLong);
  return at::where(at < 0, at + size, at);
}

TorchKernel make_gather(const LowerInput& input) {
  return [axis = input.node.int_or("axis", 0)](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    const std::int64_t along = wrap_axis(axis, x.dim());
    if (in[1].dim() == 0) return Tensors{at::select(x, along, in[1].item<std::int64_t>())};
    const at::Tensor picked = at::index_select(x, along, wrapped(in[1], x.size(along)).reshape(-1));
    LowerInts shape = x.sizes().vec();
    shape.erase(shape.begin() + along);
    shape.insert(shape.begin() + along, in[1].sizes().begin(), in[1].sizes().end());
    return Tensors{picked.reshape(shape)};
  };
}

TorchKernel make_gather_elements(const LowerInput& input) {
  return [axis = input.node.int_or("axis", 0)](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::gather(in[0], axis, wrapped(in[1], in[0].size(axis)))};
  };
}

/// The last dimension of the places counts the axes that they index, after the batch axes.
TorchKernel make_gather_nd(const LowerInput& input) {
  return [batch = input.node.int_or("batch_dims", 0)](std::span<const at::Tensor> in, const PassOptions&) {
    const at::Tensor& x = in[0];
    c10::List<std::optional<at::Tensor>> places;
    const std::int64_t rank = in[1].dim() - 1;  // of the places without their last dimension
    for (std::int64_t axis = 0; axis < batch; ++axis) {
      LowerInts shape(static_cast<std::size_t>(rank), 1);
      shape[static_cast<std::size_t>(axis)] = x.size(axis);
      places.push_back(at::arange(x.size(axis), at::kLong).reshape(shape));
    }
    for (std::int64_t i = 0; i < in[1].size(-1); ++i) places.push_back(wrapped(in[1].select(-1, i), x.size(batch + i)));
    return Tensors{at::index(x, places)};
  };
}

TorchKernel make_scatter_elements(const LowerInput& input) {
  if (input.node.string_or("reduction", "none") != "none") fail(ErrorCode::kUnsupported, "scattering with a reduction");
  return [axis = input.node.int_or("axis", 0)](std::span<const at::Tensor> in, const PassOptions&) {
    return Tensors{at::scatter(in[0], axis, wrapped(in[1], in[0].size(axis)), cast_to(in[2], in[0].scalar_type()))};
  };
}

TorchKernel make_scatter_nd(const LowerInput& input) {
  if (input.node.string_or("reduction", "none") != "none") fail(ErrorCode::kUnsupported, "scattering with a reduction");
  return [](std::span<const at::Tensor> in, const PassOptions&) {
    c10::List<std::optional<at::Tensor>> places;
    for (std::int64_t i = 0; i < in[1].size(-1); ++i) places.push_back(wrapped(in[1].select(-1, i), in[0].size(i)));
    return Tensors{at::index_put(in[0], places, cast_to(in[2], in[0].scalar_type()))};
  };
}

/// Where each element of a padded axis comes from.
at::Tensor padded_places(const std::string& mode, std::int64_t size, std::int64_t before, std::int64_t after) {
  at::Tensor places = at::empty({size + before + after}, at::kLong);
  for (std::int64_t i = 0; i < places.numel(); ++i) {
    std::int64_t at = i - before;
    if (mode == "edge") at = std::clamp<std::int64_t>(at, 0, size - 1);
    if (mode == "wrap") at = ((at % size) + size) % size;
    if (mode == "reflect") {
      const std::int64_t period = std::max<std::int64_t>(1, 2 * (size - 1));
      at = ((at % period) + period) % period;
      at = std::min(at, period - at);
    }
    places.data_ptr<std::int64_t>()[i] = at;
  }
  return places;
}

TorchKernel make_pad(const LowerInput& input) {
  const Node& node = input.node;
  const IntsOption option = ints_option(node, node.find_attribute("paddings") == nullptr ? "pads" : "paddings", 1);
  const IntsOption axes = ints_option(node, "axes", 3);
  const std::string mode = node.string_or("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    fail(ErrorCode::kUnsupported, "padding of mode '{}'", mode);
  const float fixed = node.float_or("value", 0);
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const LowerInts pads = option.of(in);
    LowerInts over = axes.of(in);
    if (!axes.given(in))
      for (std::int64_t axis = 0; axis < in[0].dim(); ++axis) over.push_back(axis);
    at::Tensor y = in[0];
    LowerInts around(2 * static_cast<std::size_t>(y.dim()), 0);
    for (std::size_t i = 0; i < over.size(); ++i) {
      const std::int64_t axis = wrap_axis(over[i], y.dim()), before = pads[i], after = pads[over.size() + i];
      const auto at = 2 * static_cast<std::size_t>(y.dim() - 1 - axis);
      around[at] = before;
      around[at + 1] = after;
      if (mode != "constant" && (before != 0 || after != 0))
        y = at::index_select(y, axis, padded_places(mode, y.size(axis), before, after));
    }
    if (mode != "constant") return Tensors{y};
    return Tensors{at::constant_pad_nd(y, around, has_input(in, 2) ? in[2].item() : at::Scalar(fixed))};
  };
}

}  // namespace

void lower_selection(LoweringTable& table) {
  table.add("Concat", make_concat);
  table.add("Split", make_split);
  table.add("Slice", make_slice);
  table.add("Gather", make_gather);
  table.add("GatherElements", make_gather_elements);
  table.add("GatherND", make_gather_nd);
  table.add("ScatterElements", make_scatter_elements);
  table.add("ScatterND", make_scatter_nd);
  table.add("Pad", make_pad);
}

}  // namespace pare
