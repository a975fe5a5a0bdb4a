#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerLinear, GemmTurnsAndScales) {
  const CaseInput a = some("a", {3, 4}), b = some("b", {4, 5}), c = some("c", {5});
  check_lowerings({{"Gemm(a, b)", {a, b}},
                   {"Gemm(a, b, c)", {a, b, c}},
                   {"Gemm<alpha = 0.5, beta = 2.0>(a, b, c)", {a, b, c}},
                   {"Gemm<transA = 1>(a, b, c)", {some("a", {4, 3}), b, c}},
                   {"Gemm<transB = 1>(a, b, c)", {a, some("b", {5, 4}), some("c", {3, 5})}}});
}

TEST(LowerLinear, MatMulTakesBatchesAndVectors) {
  check_lowerings({{"MatMul(a, b)", {some("a", {3, 4}), some("b", {4, 5})}},
                   {"MatMul(a, b)", {some("a", {2, 3, 4}), some("b", {4, 5})}},
                   {"MatMul(a, b)", {some("a", {2, 1, 3, 4}), some("b", {3, 4, 5})}},
                   {"MatMul(a, b)", {some("a", {4}), some("b", {4, 5})}}});
}

}  // namespace
}  // namespace pare::testing
