#include "fit/spectrum.h"

#include <algorithm>

#include "core/fail.h"
#include "core/random.h"

extern "C" {
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
             const int* lwork, int* iwork, const int* liwork, int* info);
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
}

namespace pare {
namespace {

constexpr std::int64_t kDirect = 640;  ///< up to this size all eigenvectors are computed
constexpr std::int64_t kSpare = 16;    ///< directions more than wanted
constexpr int kIterations = 2;

Matrix first_rows(const Matrix& a, std::int64_t count) {
  Matrix rows(count, a.cols);
  std::copy_n(a.values.begin(), count * a.cols, rows.values.begin());
  return rows;
}

Matrix iterated_directions(const Matrix& x, std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  Matrix start(std::min({count + kSpare, x.rows, x.cols}), x.rows);
  for (double& value : start.values) value = rng.normal();
  Matrix rows = multiply(start, x);
  for (int i = 0; i < kIterations; ++i) {
    orthonormalize_rows(rows);
    Matrix left = multiply_transposed(rows, x);
    orthonormalize_rows(left);
    rows = multiply(left, x);
  }
  orthonormalize_rows(rows);
  const Matrix inside = multiply_transposed(rows, x);
  return multiply(first_rows(symmetric_spectrum(multiply_transposed(inside, inside)).vectors, count), rows);
}

}  // namespace

Spectrum symmetric_spectrum(Matrix a) {
  const int n = static_cast<int>(a.rows);
  Spectrum spectrum;
  spectrum.values.resize(static_cast<std::size_t>(n));
  if (n == 0) return spectrum;
  int info = 0, query = -1, integer_size = 0;
  double size = 0;
  dsyevd_("V", "L", &n, a.values.data(), &n, spectrum.values.data(), &size, &query, &integer_size, &query, &info);
  std::vector<double> work(static_cast<std::size_t>(size) + 1);
  std::vector<int> integers(static_cast<std::size_t>(integer_size) + 1);
  const int length = static_cast<int>(work.size()), integer_length = static_cast<int>(integers.size());
  dsyevd_("V", "L", &n, a.values.data(), &n, spectrum.values.data(), work.data(), &length, integers.data(),
          &integer_length, &info);
  if (info != 0) fail(ErrorCode::kNumeric, "fit: a matrix has no eigenvalues: it holds NaN or infinity");
  // LAPACK's columns are our rows; its order is ascending.
  std::reverse(spectrum.values.begin(), spectrum.values.end());
  spectrum.vectors = Matrix(n, n);
  for (std::int64_t r = 0; r < n; ++r) std::copy_n(a.row(n - 1 - r), n, spectrum.vectors.row(r));
  return spectrum;
}

void orthonormalize_rows(Matrix& a) {
  const int m = static_cast<int>(a.cols), n = static_cast<int>(a.rows);
  if (m == 0 || n == 0) return;
  std::vector<double> tau(static_cast<std::size_t>(n));
  int info = 0, query = -1;
  double size = 0;
  dgeqrf_(&m, &n, a.values.data(), &m, tau.data(), &size, &query, &info);
  std::vector<double> work(std::max<std::size_t>(static_cast<std::size_t>(size), static_cast<std::size_t>(n) * 64));
  const int length = static_cast<int>(work.size());
  dgeqrf_(&m, &n, a.values.data(), &m, tau.data(), work.data(), &length, &info);
  dorgqr_(&m, &n, &n, a.values.data(), &m, tau.data(), work.data(), &length, &info);
}

Matrix leading_directions(const Matrix& x, std::int64_t count, std::uint64_t seed) {
  if (count > x.cols) fail(ErrorCode::kInternal, "fit: {} directions of {}", count, x.cols);
  if (x.cols <= kDirect) return first_rows(symmetric_spectrum(multiply(transposed(x), x)).vectors, count);
  if (x.rows > kDirect && count <= x.rows) return iterated_directions(x, count, seed);
  const std::int64_t known = std::min(count, x.rows);
  const Spectrum left = symmetric_spectrum(multiply_transposed(x, x));
  Matrix rows(count, x.cols);
  const Matrix part = multiply(first_rows(left.vectors, known), x);
  std::copy(part.values.begin(), part.values.end(), rows.values.begin());
  Rng rng(seed);
  for (std::int64_t r = known; r < count; ++r)
    for (std::int64_t c = 0; c < x.cols; ++c) rows.at(r, c) = rng.normal();
  orthonormalize_rows(rows);
  return rows;
}

}  // namespace pare
