#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

using Long = std::int64_t;

TEST(LowerReduction, ReducesAsTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 3, 4, 5}, 0.1, 2), axes = ints("a", {1, -1});
  for (const std::string op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1",
                               "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
    check_lowerings({{op + "(x)", {x}, 12},
                     {op + "<axes = [2, 3]>(x)", {x}, 11},
                     {op + "<axes = [-3], keepdims = 0>(x)", {x}, 11},
                     {op + "(x, a)", {x, axes}, 18},
                     {op + "<keepdims = 0>(x, a)", {x, axes}, 18},
                     {op + "<noop_with_empty_axes = 1>(x)", {x}, 18}});
  }
  const CaseInput counts = {"x", Tensor::of<Long>({2, 2}, {1, 2, 3, 4})};
  for (const std::string op : {"ReduceSum", "ReduceMax", "ReduceProd"})
    check_lowering({op + "(x)", {counts}, 17, {"int64[] y"}});
}

TEST(LowerReduction, ArgMaxTakesTheFirstOrTheLast) {
  const CaseInput x = {"x", Tensor::of<float>({2, 4}, {1, 3, 3, 0, 2, -1, 2, -1})};
  for (const std::string op : {"ArgMax", "ArgMin"})
    check_lowerings({{op + "(x)", {x}, 17, {"int64[] y"}},
                     {op + "<axis = 1>(x)", {x}, 17, {"int64[] y"}},
                     {op + "<axis = -1, keepdims = 0>(x)", {x}, 17, {"int64[] y"}},
                     {op + "<axis = 1, select_last_index = 1>(x)", {x}, 17, {"int64[] y"}}});
}

TEST(LowerReduction, TopKSortsAndKeepsTheOrderOfEquals) {
  const CaseInput x = some("x", {2, 6}), equals = {"x", Tensor::of<float>({6}, {1, 2, 2, 0, 2, 1})};
  const std::vector<std::string> both = {"float[] v", "int64[] i"};
  const auto topk = [&](const std::string& node, const CaseInput& data, Long k, Long opset = 17) {
    return LowerCase{
        .node = node, .inputs = {data, ints("k", {k})}, .opset = opset, .outputs = both, .bfloat16 = false};
  };
  check_lowerings({topk("TopK(x, k)", x, 3), topk("TopK<largest = 0>(x, k)", x, 2), topk("TopK<axis = 0>(x, k)", x, 1),
                   topk("TopK(x, k)", x, 6, 10)});
  LowerCase tied = topk("TopK(x, k)", equals, 4);
  tied.gradient = false;
  check_lowering(tied);
}

TEST(LowerReduction, CumSumRunsBothWays) {
  const CaseInput x = some("x", {3, 4}), axis = given("a", Tensor::scalar<Long>(1));
  check_lowerings({{"CumSum(x, a)", {x, axis}},
                   {"CumSum<exclusive = 1>(x, a)", {x, axis}},
                   {"CumSum<reverse = 1>(x, a)", {x, given("a", Tensor::scalar<Long>(-2))}},
                   {"CumSum<reverse = 1, exclusive = 1>(x, a)", {x, axis}}});
}

}  // namespace
}  // namespace pare::testing
