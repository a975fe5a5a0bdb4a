#include "fit/matrix.h"

#include <cblas.h>

#include <algorithm>

extern "C" {
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void dpotri_(const char* uplo, const int* n, double* a, const int* lda, int* info);
}

namespace pare {
namespace {

int to_int(std::int64_t n) { return static_cast<int>(n); }

}  // namespace

void mirror_lower(double* a, std::int64_t n) {
  constexpr std::int64_t kTile = 64;  // both sides stay in the cache
  for (std::int64_t bi = 0; bi < n; bi += kTile)
    for (std::int64_t bj = 0; bj <= bi; bj += kTile)
      for (std::int64_t i = bi; i < std::min(n, bi + kTile); ++i)
        for (std::int64_t j = bj; j < std::min(i, bj + kTile); ++j) a[j * n + i] = a[i * n + j];
}

void set_blas_threads(int threads) { openblas_set_num_threads(std::max(threads, 1)); }

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.cols);
  if (a.rows * a.cols * b.cols == 0) return c;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, to_int(a.rows), to_int(b.cols), to_int(a.cols), 1.0,
              a.values.data(), to_int(a.cols), b.values.data(), to_int(b.cols), 0.0, c.values.data(), to_int(c.cols));
  return c;
}

Matrix multiply_transposed(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.rows);
  if (a.rows * a.cols * b.rows == 0) return c;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_int(a.rows), to_int(b.rows), to_int(a.cols), 1.0,
              a.values.data(), to_int(a.cols), b.values.data(), to_int(b.cols), 0.0, c.values.data(), to_int(c.cols));
  return c;
}

Matrix reshaped(Matrix a, std::int64_t rows, std::int64_t cols) {
  a.rows = rows;
  a.cols = cols;
  return a;
}

Matrix transposed(const Matrix& a) {
  Matrix t(a.cols, a.rows);
  for (std::int64_t r = 0; r < a.rows; ++r)
    for (std::int64_t c = 0; c < a.cols; ++c) t.at(c, r) = a.at(r, c);
  return t;
}

Matrix take_columns(const Matrix& a, std::span<const std::int64_t> columns) {
  Matrix taken(a.rows, static_cast<std::int64_t>(columns.size()));
  for (std::int64_t r = 0; r < a.rows; ++r)
    for (std::int64_t c = 0; c < taken.cols; ++c) taken.at(r, c) = a.at(r, columns[static_cast<std::size_t>(c)]);
  return taken;
}

Matrix take_both(const Matrix& a, std::span<const std::int64_t> indices) {
  const auto n = static_cast<std::int64_t>(indices.size());
  Matrix taken(n, n);
  for (std::int64_t r = 0; r < n; ++r)
    for (std::int64_t c = 0; c < n; ++c)
      taken.at(r, c) = a.at(indices[static_cast<std::size_t>(r)], indices[static_cast<std::size_t>(c)]);
  return taken;
}

// LAPACK reads columns where we have rows: its upper triangle is our lower one.
bool cholesky(double* a, std::int64_t n) {
  const int size = to_int(n);
  int info = 0;
  dpotrf_("U", &size, a, &size, &info);
  return info == 0;
}

bool invert_spd(Matrix& a) {
  if (a.rows == 0) return true;
  if (!cholesky(a.values.data(), a.rows)) return false;
  const int size = to_int(a.rows);
  int info = 0;
  dpotri_("U", &size, a.values.data(), &size, &info);
  if (info != 0) return false;
  mirror_lower(a.values.data(), a.rows);
  return true;
}

double inner_product(const Matrix& a, const Matrix& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

void add_gram(const float* a, std::int64_t rows, std::int64_t n, float* c) {
  if (rows == 0) return;
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, to_int(n), to_int(rows), 1.0F, a, to_int(n), 1.0F, c, to_int(n));
}

void add_gram(const double* a, std::int64_t rows, std::int64_t n, double* c) {
  if (rows == 0) return;
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, to_int(n), to_int(rows), 1.0, a, to_int(n), 1.0, c, to_int(n));
}

void add_cross(const float* a, const float* b, std::int64_t rows, std::int64_t m, std::int64_t n, float* c) {
  if (rows == 0) return;
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, to_int(m), to_int(n), to_int(rows), 1.0F, a, to_int(m), b,
              to_int(n), 1.0F, c, to_int(n));
}

void add_cross(const double* a, const double* b, std::int64_t rows, std::int64_t m, std::int64_t n, double* c) {
  if (rows == 0) return;
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, to_int(m), to_int(n), to_int(rows), 1.0, a, to_int(m), b,
              to_int(n), 1.0, c, to_int(n));
}

void apply_weights(const float* a, const float* w, std::int64_t rows, std::int64_t m, std::int64_t n, float* y) {
  if (rows == 0) return;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to_int(rows), to_int(m), to_int(n), 1.0F, a, to_int(n), w,
              to_int(n), 0.0F, y, to_int(m));
}

void solve_lower(const double* l, std::int64_t n, double* b, std::int64_t cols, std::int64_t stride) {
  if (n == 0 || cols == 0) return;
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, to_int(n), to_int(cols), 1.0, l,
              to_int(n), b, to_int(stride));
}

void solve_lower_right(const double* l, std::int64_t n, double* b, std::int64_t rows) {
  if (n == 0 || rows == 0) return;
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, to_int(rows), to_int(n), 1.0, l,
              to_int(n), b, to_int(n));
}

void add_product(MatrixView a, MatrixView b, std::int64_t m, std::int64_t n, std::int64_t k, double* c) {
  if (m == 0 || n == 0 || k == 0) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, to_int(m), to_int(n), to_int(k), 1.0, a.data, to_int(a.stride),
              b.data, to_int(b.stride), 1.0, c, to_int(n));
}

void subtract_cross(const double* a, const double* b, std::int64_t rows, std::int64_t m, std::int64_t n, double* c) {
  if (rows == 0 || m == 0 || n == 0) return;
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, to_int(m), to_int(n), to_int(rows), -1.0, a, to_int(m), b,
              to_int(n), 1.0, c, to_int(n));
}

}  // namespace pare
