#include "factorize/fold.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"

namespace pare {
namespace {

bool two_axes(const LinearLayer& layer) { return layer.convolution && !layer.transposed && layer.kernel.size() == 2; }

std::string kernel_text(const Shape& kernel) {
  std::string text;
  for (const std::int64_t size : kernel) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

std::int64_t first_columns(const LinearLayer& layer, FactorKind kind) {
  switch (kind) {
    case FactorKind::kVertical:
      return layer.inputs * layer.kernel[0];
    case FactorKind::kHorizontal:
      return layer.inputs * layer.kernel[1];
    case FactorKind::kPoint:
    case FactorKind::kTucker:
      return layer.inputs;
    case FactorKind::kChannel:
      break;
  }
  return layer.columns();
}

}  // namespace

Fold make_fold(const LinearLayer& layer, FactorKind kind) {
  Fold fold{.kind = kind,
            .taps = 1,
            .columns = first_columns(layer, kind),
            .order = {},
            .outputs = layer.outputs / layer.groups};
  fold.taps = layer.columns() / fold.columns;
  const std::int64_t width = two_axes(layer) ? layer.kernel[1] : 1;
  for (std::int64_t a = 0; a < fold.taps; ++a)
    for (std::int64_t b = 0; b < fold.columns; ++b) {
      std::int64_t column = b;
      if (kind == FactorKind::kVertical) column = b * width + a;
      if (kind == FactorKind::kHorizontal) column = (b / width * layer.kernel[0] + a) * width + b % width;
      if (kind == FactorKind::kPoint || kind == FactorKind::kTucker) column = b * layer.taps + a;
      fold.order.push_back(column);
    }
  return fold;
}

std::int64_t Fold::outer_rank(std::int64_t rank) const noexcept {
  if (kind != FactorKind::kTucker) return 0;
  const std::int64_t share = (rank * outputs + columns / 2) / columns;
  return std::max<std::int64_t>(1, std::min({share, outputs, rank * taps}));
}

std::string fold_text(const LinearLayer& layer, FactorKind kind, std::int64_t rank, std::int64_t outer) {
  if (kind == FactorKind::kTucker)
    return fmt::format("1 x 1, {}, 1 x 1 of ranks {} and {}", kernel_text(layer.kernel), rank, outer);
  std::string text;
  if (kind == FactorKind::kVertical) text = fmt::format("{} x 1 then 1 x {}", layer.kernel[0], layer.kernel[1]);
  if (kind == FactorKind::kHorizontal) text = fmt::format("1 x {} then {} x 1", layer.kernel[1], layer.kernel[0]);
  if (kind == FactorKind::kChannel)
    text = layer.taps == 1 ? "two matrices" : fmt::format("{} then 1 x 1", kernel_text(layer.kernel));
  if (kind == FactorKind::kPoint) text = fmt::format("1 x 1 then {}", kernel_text(layer.kernel));
  if (layer.transposed) text += ", transposed,";
  return fmt::format("{} of rank {}{}", text, rank, layer.groups > 1 ? " in each group" : "");
}

bool can_fold(const LinearLayer& layer, FactorKind kind) {
  switch (kind) {
    case FactorKind::kVertical:
    case FactorKind::kHorizontal:
      return two_axes(layer) && layer.kernel[0] > 1 && layer.kernel[1] > 1;
    case FactorKind::kPoint:
      return layer.taps > 1 && layer.inputs > 1;
    case FactorKind::kTucker:
      return layer.taps > 1 && layer.inputs > 1 && layer.outputs > 1 && layer.groups == 1 && !layer.transposed;
    case FactorKind::kChannel:
      break;
  }
  return layer.outputs > layer.groups && layer.columns() > 1;
}

double FoldCost::at(std::int64_t rank, std::int64_t outer) const noexcept {
  const auto r = static_cast<double>(rank), q = static_cast<double>(outer);
  return per_rank * r + per_outer * q + per_both * r * q;
}

std::int64_t FoldCost::break_even(const Fold& fold) const noexcept {
  if (fold.kind != FactorKind::kTucker)
    return per_rank > 0 ? static_cast<std::int64_t>(std::ceil(whole / per_rank)) : 1;
  std::int64_t rank = 1;
  while (rank <= fold.columns && at(rank, fold.outer_rank(rank)) < whole) ++rank;
  return rank;
}

FoldCost fold_parameters(const LinearLayer& layer, FactorKind kind) {
  const std::int64_t columns = first_columns(layer, kind);
  FoldCost cost{.whole = static_cast<double>(layer.outputs * layer.columns()), .per_rank = 0};
  if (kind == FactorKind::kTucker) {
    cost.per_rank = static_cast<double>(layer.inputs);
    cost.per_outer = static_cast<double>(layer.outputs);
    cost.per_both = static_cast<double>(layer.taps);
  } else {
    cost.per_rank = static_cast<double>(layer.groups * columns + layer.outputs * layer.columns() / columns);
  }
  return cost;
}

FoldCost fold_macs(const LinearLayer& layer, FactorKind kind, const Shape& input, const Shape& output) {
  const auto places = static_cast<double>(element_count(output)) / static_cast<double>(layer.outputs);
  const auto columns = static_cast<double>(first_columns(layer, kind)),
             taps = static_cast<double>(layer.columns()) / columns, outputs = static_cast<double>(layer.outputs);
  if (layer.transposed) {  // each input position meets the whole kernel
    const double sources = static_cast<double>(element_count(input)) / static_cast<double>(layer.inputs);
    return {.whole = sources * outputs * static_cast<double>(layer.columns()),
            .per_rank = sources * columns + (kind == FactorKind::kChannel ? places : sources) * outputs * taps};
  }
  double between = places;  // positions of the first factor's output
  if (layer.convolution && kind != FactorKind::kChannel) {
    between = static_cast<double>(output[0]);
    for (std::size_t axis = 0; axis < layer.kernel.size(); ++axis) {
      const bool early = (kind == FactorKind::kVertical && axis == 0) || (kind == FactorKind::kHorizontal && axis == 1);
      between *= static_cast<double>((early ? output : input)[axis + 2]);
    }
  }
  const double whole = places * outputs * static_cast<double>(layer.columns());
  if (kind == FactorKind::kTucker)
    return {.whole = whole, .per_rank = between * columns, .per_outer = places * outputs, .per_both = places * taps};
  return {.whole = whole, .per_rank = static_cast<double>(layer.groups) * between * columns + places * outputs * taps};
}

}  // namespace pare
