// Sums, means and extremes along axes; their places; running sums.
#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

using Reduce = at::Tensor (*)(const at::Tensor&, at::IntArrayRef, bool);

at::Tensor sum(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  return at::sum(x, axes, keep, x.scalar_type());  // torch would widen integers
}

at::Tensor product(const at::Tensor& x, at::IntArrayRef axes, bool keep) {
  LowerInts order = axes.vec();
  std::sort(order.rbegin(), order.rend());
  at::Tensor y = x;
  for (const std::int64_t axis : order) y = at::prod(y, axis, keep, x.scalar_type());
  return y;
}

MakeKernel reduce(Reduce function) {
  return [function](const LowerInput& input) -> TorchKernel {
    const IntsOption axes = ints_option(input.node, "axes", 1);
    const bool keep = input.node.int_or("keepdims", 1) != 0, noop = input.node.int_or("noop_with_empty_axes", 0) != 0;
    return [=](std::span<const at::Tensor> in, const PassOptions&) {
      LowerInts over = axes.of(in);
      if (over.empty() && noop) return Tensors{function(in[0].unsqueeze(-1), -1, false)};  // each by itself
      for (std::int64_t& axis : over) axis = wrap_axis(axis, in[0].dim());
      if (over.empty())
        for (std::int64_t axis = 0; axis < in[0].dim(); ++axis) over.push_back(axis);
      if (over.empty()) over.push_back(0);  // of a scalar
      return Tensors{function(in[0], over, keep)};
    };
  };
}

MakeKernel arg(bool largest) {
  return [largest](const LowerInput& input) -> TorchKernel {
    const std::int64_t axis = input.node.int_or("axis", 0);
    const bool keep = input.node.int_or("keepdims", 1) != 0, last = input.node.int_or("select_last_index", 0) != 0;
    return [=](std::span<const at::Tensor> in, const PassOptions&) {
      const at::Tensor x = last ? at::flip(in[0], {axis}) : in[0];
      const at::Tensor at = largest ? at::argmax(x, axis, keep) : at::argmin(x, axis, keep);
      return Tensors{last ? in[0].size(axis) - 1 - at : at};
    };
  };
}

TorchKernel make_topk(const LowerInput& input) {
  const std::int64_t axis = input.node.int_or("axis", -1), fixed = input.node.int_or("k", 0);
  const bool largest = input.node.int_or("largest", 1) != 0;
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t k = has_input(in, 1) ? to_ints(in[1])[0] : fixed;
    // Stable, so that of equal values the first comes first; always sorted, which is right whatever is asked.
    const auto [values, places] = at::sort(in[0], true, axis, largest);
    return Tensors{values.narrow(axis, 0, k), places.narrow(axis, 0, k)};
  };
}

TorchKernel make_cumsum(const LowerInput& input) {
  const bool exclusive = input.node.int_or("exclusive", 0) != 0, reverse = input.node.int_or("reverse", 0) != 0;
  return [=](std::span<const at::Tensor> in, const PassOptions&) {
    const std::int64_t axis = to_ints(in[1])[0];
    const at::Tensor x = reverse ? at::flip(in[0], {axis}) : in[0];
    at::Tensor y = at::cumsum(x, axis, x.scalar_type());
    if (exclusive) y = y - x;
    return Tensors{reverse ? at::flip(y, {axis}) : y};
  };
}

}  // namespace

void lower_reduction(LoweringTable& table) {
  const auto absolute_sum = [](const at::Tensor& x, at::IntArrayRef axes, bool keep) {
    return sum(x.abs(), axes, keep);
  };
  table.add("ReduceSum", reduce(sum));
  table.add("ReduceMean",
            reduce([](const at::Tensor& x, at::IntArrayRef axes, bool keep) { return at::mean(x, axes, keep); }));
  table.add("ReduceMax", reduce(at::amax));
  table.add("ReduceMin", reduce(at::amin));
  table.add("ReduceProd", reduce(product));
  table.add("ReduceL1", reduce(absolute_sum));
  table.add("ReduceL2", reduce([](const at::Tensor& x, at::IntArrayRef axes, bool keep) {
              return at::linalg_vector_norm(x, 2, axes, keep);
            }));
  table.add("ReduceSumSquare",
            reduce([](const at::Tensor& x, at::IntArrayRef axes, bool keep) { return sum(x * x, axes, keep); }));
  table.add("ReduceLogSum",
            reduce([](const at::Tensor& x, at::IntArrayRef axes, bool keep) { return at::log(sum(x, axes, keep)); }));
  table.add("ReduceLogSumExp",
            reduce([](const at::Tensor& x, at::IntArrayRef axes, bool keep) { return at::logsumexp(x, axes, keep); }));
  table.add("ArgMax", arg(true));
  table.add("ArgMin", arg(false));
  table.add("TopK", make_topk);
  table.add("CumSum", make_cumsum);
}

}  // namespace pare
