#include "fit/moments.h"

#include <algorithm>
#include <type_traits>

namespace pare {

double Moments::error(const Matrix& weights) const {
  // E |t|^2 - 2 tr(W G^T) + tr(W H W^T)
  const Matrix product = multiply(weights, h);
  return std::max(0.0, targets - 2 * inner_product(weights, g) + inner_product(product, weights));
}

template <class T>
void MomentSums<T>::add(const T* patches, const T* targets, std::int64_t rows) {
  if constexpr (std::is_same_v<T, float>) {
    add_gram(patches, rows, width_, scratch_, sums_.h.values.data());
    if (targets != nullptr) add_cross(targets, patches, rows, outputs_, width_, scratch_, sums_.g.values.data());
  } else {
    add_gram(patches, rows, width_, sums_.h.values.data());
    if (targets != nullptr) add_cross(targets, patches, rows, outputs_, width_, sums_.g.values.data());
  }
  sums_.count += rows;
  if (targets == nullptr) return;
  for (std::int64_t i = 0; i < rows * outputs_; ++i) {
    const auto value = static_cast<double>(targets[i]);
    sums_.targets += value * value;
  }
}

template <class T>
Moments MomentSums<T>::mean() const {
  Moments mean = sums_;
  const double factor = 1.0 / static_cast<double>(std::max<std::int64_t>(1, sums_.count));
  for (double& value : mean.h.values) value *= factor;
  for (double& value : mean.g.values) value *= factor;
  mean.targets *= factor;
  return mean;
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
