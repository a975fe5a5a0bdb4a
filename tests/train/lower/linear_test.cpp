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
  const CaseInput b = some("b", {4, 5});
  check_lowerings({{"MatMul(a, b)", {some("a", {3, 4}), b}},
                   {"MatMul(a, b)", {some("a", {2, 3, 4}), b}},
                   {"MatMul(a, b)", {some("a", {2, 1, 3, 4}), some("b", {3, 4, 5})}},
                   {"MatMul(a, b)", {some("a", {4}), b}}});
  const CaseInput counts = {"a", Tensor::of<std::int64_t>({1, 2}, {2, 3})};
  const CaseInput sizes = {"b", Tensor::of<std::int64_t>({2, 1}, {4, 5})};
  check_lowering({"MatMul(a, b)", {counts, sizes}, 17, {"int64[] y"}});
}

TEST(LowerLinear, EinsumMultipliesAndSums) {
  const CaseInput a = some("a", {2, 3, 4}), b = some("b", {2, 4, 5});
  check_lowerings({{"Einsum<equation = \"bij,bjk->bik\">(a, b)", {a, b}},
                   {"Einsum<equation = \"bij, bjk -> bi\">(a, b)", {a, b}},
                   {"Einsum<equation = \"bij->bji\">(a)", {a}}});
}

}  // namespace
}  // namespace pare::testing
