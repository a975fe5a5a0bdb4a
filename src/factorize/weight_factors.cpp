#include "factorize/weight_factors.h"

#include <algorithm>

#include "factorize/layer_matrix.h"

namespace pare {
namespace {

Matrix rows_of(const Matrix& a, std::int64_t from, std::int64_t count) {
  Matrix part(count, a.cols);
  std::copy_n(a.row(from), count * a.cols, part.values.begin());
  return part;
}

void append(Matrix& a, const Matrix& rows) {
  a.cols = rows.cols;
  a.rows += rows.rows;
  a.values.insert(a.values.end(), rows.values.begin(), rows.values.end());
}

}  // namespace

Factors weight_factors(const LinearLayer& layer, const Fold& fold, std::int64_t rank, std::int64_t outer,
                       std::uint64_t seed) {
  const Matrix weights = layer_matrix(layer);
  const std::int64_t own = layer.outputs / layer.groups;
  Factors all{.rank = rank, .outer = outer, .first = {}, .second = {}, .last = {}};
  for (std::int64_t group = 0; group < layer.groups; ++group) {
    const LowRank low_rank(folded(without_data(rows_of(weights, group * own, own)), fold), fold, rank, seed);
    Factors one = low_rank.start(rank, outer);
    balance(one);
    if (layer.groups == 1) return one;
    append(all.first, one.first);
    append(all.second, one.second);
  }
  return all;
}

Matrix product_of(const LinearLayer& layer, const Fold& fold, const Factors& factors) {
  const std::int64_t own = layer.outputs / layer.groups;
  const Matrix after = factors.after_first();
  Matrix product;
  for (std::int64_t group = 0; group < layer.groups; ++group) {
    Matrix second = reshaped(rows_of(after, group * own, own), own * fold.taps, factors.rank);
    append(product, reshaped(multiply(second, rows_of(factors.first, group * factors.rank, factors.rank)), own,
                             fold.taps * fold.columns));
  }
  return product;
}

}  // namespace pare
