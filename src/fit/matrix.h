// matrix.h - dense matrices of doubles, row after row, and what the fits need of BLAS and LAPACK.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pare {

struct Matrix {
  std::int64_t rows = 0, cols = 0;
  std::vector<double> values = {};

  Matrix() = default;
  Matrix(std::int64_t r, std::int64_t c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c), 0.0) {}
  [[nodiscard]] double* row(std::int64_t r) { return values.data() + r * cols; }
  [[nodiscard]] const double* row(std::int64_t r) const { return values.data() + r * cols; }
  [[nodiscard]] double& at(std::int64_t r, std::int64_t c) { return row(r)[c]; }
  [[nodiscard]] double at(std::int64_t r, std::int64_t c) const { return row(r)[c]; }
};

/// Threads of every matrix product from now on.
void set_blas_threads(int threads);

[[nodiscard]] Matrix multiply(const Matrix& a, const Matrix& b);
/// a b^T.
[[nodiscard]] Matrix multiply_transposed(const Matrix& a, const Matrix& b);
[[nodiscard]] Matrix transposed(const Matrix& a);
/// The same numbers, row after row, in another shape.
[[nodiscard]] Matrix reshaped(Matrix a, std::int64_t rows, std::int64_t cols);
/// The columns (of a) or rows and columns (of a square one) in that order.
[[nodiscard]] Matrix take_columns(const Matrix& a, std::span<const std::int64_t> columns);
[[nodiscard]] Matrix take_both(const Matrix& a, std::span<const std::int64_t> indices);
/// Of a symmetric positive definite matrix, both triangles filled in. False, with the matrix destroyed, if it is not
/// positive definite.
[[nodiscard]] bool invert_spd(Matrix& a);
/// sum over all elements of a(i, j) b(i, j).
[[nodiscard]] double inner_product(const Matrix& a, const Matrix& b);

// Products on raw rows. Sizes in elements; everything row-major and packed unless a stride is named.

/// Lower triangle of c (n x n) += a^T a, a: rows x n.
void add_gram(const float* a, std::int64_t rows, std::int64_t n, float* c);
void add_gram(const double* a, std::int64_t rows, std::int64_t n, double* c);
/// Copies the lower triangle into the upper one.
void mirror_lower(double* a, std::int64_t n);
/// c (m x n) += a^T b, a: rows x m, b: rows x n.
void add_cross(const float* a, const float* b, std::int64_t rows, std::int64_t m, std::int64_t n, float* c);
void add_cross(const double* a, const double* b, std::int64_t rows, std::int64_t m, std::int64_t n, double* c);
/// y (rows x m) = a w^T, a: rows x n, w: m x n.
void apply_weights(const float* a, const float* w, std::int64_t rows, std::int64_t m, std::int64_t n, float* y);
/// Lower Cholesky factor in place (the upper triangle is left alone); false if not positive definite.
[[nodiscard]] bool cholesky(double* a, std::int64_t n);
/// b (n x cols, rows `stride` apart) = l^-1 b, l: n x n lower.
void solve_lower(const double* l, std::int64_t n, double* b, std::int64_t cols, std::int64_t stride);
/// b (rows x n) = b l^-1, l: n x n lower.
void solve_lower_right(const double* l, std::int64_t n, double* b, std::int64_t rows);
/// A part of a row-major matrix: where it begins, and how far its rows are apart.
struct MatrixView {
  const double* data = nullptr;
  std::int64_t stride = 0;
};
/// c (m x n, packed) += a b, a: m x k, b: k x n.
void add_product(MatrixView a, MatrixView b, std::int64_t m, std::int64_t n, std::int64_t k, double* c);
/// c (m x n) -= a^T b, a: rows x m, b: rows x n.
void subtract_cross(const double* a, const double* b, std::int64_t rows, std::int64_t m, std::int64_t n, double* c);

}  // namespace pare
