#include "fit/moments.h"

#include <algorithm>
#include <type_traits>

namespace pare {
namespace {

constexpr std::int64_t kFloatRows = 8192;  ///< summed in float32 before they are added in double

}  // namespace

double Moments::error(const Matrix& weights) const {
  // E |t|^2 - 2 tr(W G^T) + tr(W H W^T)
  const Matrix product = multiply(weights, h);
  return std::max(0.0, targets - 2 * inner_product(weights, g) + inner_product(product, weights));
}

template <class T>
void MomentSums<T>::add(const T* patches, const T* targets, std::int64_t rows) {
  sums_.count += rows;
  if constexpr (std::is_same_v<T, float>) {
    pending_h_.resize(sums_.h.values.size());
    add_gram(patches, rows, width_, pending_h_.data());
    if (targets != nullptr) {
      pending_g_.resize(sums_.g.values.size());
      add_cross(targets, patches, rows, outputs_, width_, pending_g_.data());
    }
    pending_ += rows;
    if (pending_ >= kFloatRows) flush();
  } else {
    add_gram(patches, rows, width_, sums_.h.values.data());
    if (targets != nullptr) add_cross(targets, patches, rows, outputs_, width_, sums_.g.values.data());
  }
  if (targets == nullptr) return;
  for (std::int64_t i = 0; i < rows * outputs_; ++i) {
    const auto value = static_cast<double>(targets[i]);
    sums_.targets += value * value;
  }
}

template <class T>
void MomentSums<T>::flush() {
  for (std::int64_t i = 0; i < width_; ++i)
    for (std::int64_t j = 0; j <= i && !pending_h_.empty(); ++j)
      sums_.h.at(i, j) += static_cast<double>(pending_h_[static_cast<std::size_t>(i * width_ + j)]);
  for (std::size_t i = 0; i < pending_g_.size(); ++i) sums_.g.values[i] += static_cast<double>(pending_g_[i]);
  std::fill(pending_h_.begin(), pending_h_.end(), 0.0F);
  std::fill(pending_g_.begin(), pending_g_.end(), 0.0F);
  pending_ = 0;
}

template <class T>
Moments MomentSums<T>::mean() {
  flush();
  pending_h_ = {};
  pending_g_ = {};
  const double factor = 1.0 / static_cast<double>(std::max<std::int64_t>(1, sums_.count));
  for (double& value : sums_.h.values) value *= factor;
  for (double& value : sums_.g.values) value *= factor;
  sums_.targets *= factor;
  mirror_lower(sums_.h.values.data(), width_);
  return std::move(sums_);
}

template class MomentSums<float>;
template class MomentSums<double>;

Moments merged(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  Moments both = a;
  both.count = a.count + b.count;
  const double share_a = static_cast<double>(a.count) / static_cast<double>(both.count), share_b = 1 - share_a;
  for (std::size_t i = 0; i < both.h.values.size(); ++i)
    both.h.values[i] = share_a * a.h.values[i] + share_b * b.h.values[i];
  for (std::size_t i = 0; i < both.g.values.size(); ++i)
    both.g.values[i] = share_a * a.g.values[i] + share_b * b.g.values[i];
  both.targets = share_a * a.targets + share_b * b.targets;
  return both;
}

}  // namespace pare
