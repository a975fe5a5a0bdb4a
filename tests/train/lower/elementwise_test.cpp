#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

using Long = std::int64_t;

CaseInput longs(std::string name, const std::vector<Long>& values) {
  return {std::move(name), Tensor::of({static_cast<Long>(values.size())}, values)};
}

TEST(LowerElementwise, ArithmeticBroadcasts) {
  const CaseInput x = some("x", {2, 3, 4, 5});
  for (const char* op : {"Add", "Sub", "Mul", "Div"})
    check_lowerings({{std::string(op) + "(x, z)", {x, some("z", {2, 3, 4, 5}, 0.5, 2)}},
                     {std::string(op) + "(x, z)", {x, some("z", {3, 1, 1}, 0.5, 2)}},
                     {std::string(op) + "(x, z)", {x, scalar("z", 0.7F)}},
                     {std::string(op) + "(z, x)", {some("z", {5}), some("x", {2, 3, 4, 5}, 0.5, 2)}}});
}

TEST(LowerElementwise, IntegersStayIntegers) {
  const CaseInput a = longs("a", {7, -7, 9}), b = longs("b", {2, 2, -4});
  for (const char* node : {"Add(a, b)", "Sub(a, b)", "Mul(a, b)", "Div(a, b)", "Mod(a, b)", "Mod<fmod = 1>(a, b)",
                           "Max(a, b)", "Min(a, b)", "Pow(a, a)", "Neg(a)", "Abs(a)", "Sign(a)"})
    if (std::string(node) != "Pow(a, a)") check_lowering({node, {a, b}, 17, {"int64[] y"}});
  check_lowering({"Pow(a, b)", {a, longs("b", {2, 3, 1})}, 17, {"int64[] y"}});
}

TEST(LowerElementwise, PowTakesNumbersAndTensors) {
  const CaseInput x = some("x", {2, 3, 4}, 0.2, 2), any = some("x", {2, 3, 4});
  check_lowerings({{"Pow(x, e)", {any, scalar("e", 2)}},
                   {"Pow(x, e)", {any, given("e", Tensor::scalar<Long>(3))}},
                   {"Pow(x, e)", {x, floats("e", {0.5F})}},
                   {"Pow(x, e)", {x, some("e", {4}, -1, 2)}}});
}

TEST(LowerElementwise, ManyOperandsAreFolded) {
  const CaseInput a = some("a", {2, 3, 4}), b = some("b", {2, 3, 4}), c = some("c", {4});
  for (const char* op : {"Sum", "Mean", "Max", "Min"})
    check_lowerings({{std::string(op) + "(a, b, c)", {a, b, c}}, {std::string(op) + "(a)", {a}}});
}

TEST(LowerElementwise, FunctionsComputeWhatTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 3, 4}, -2, 2), positive = some("p", {2, 3, 4}, 0.2, 2);
  for (const char* op : {"Neg", "Abs", "Exp", "Erf", "Sin", "Cos", "Atan"})
    check_lowering({std::string(op) + "(x)", {x}});
  for (const char* op : {"Sqrt", "Log", "Reciprocal"}) check_lowering({std::string(op) + "(p)", {positive}});
  check_lowering({"Tan(x)", {some("x", {2, 3}, -1, 1)}});
}

TEST(LowerElementwise, StepsHaveNoGradient) {
  const CaseInput x = some("x", {2, 3, 4}, -3, 3);
  for (const char* op : {"Round", "Floor", "Ceil", "Sign"})
    check_lowering({.node = std::string(op) + "(x)", .inputs = {x}, .bfloat16 = false});
  // Half to even.
  check_lowering(
      {.node = "Round(x)", .inputs = {{"x", Tensor::of<float>({4}, {0.5F, 1.5F, -2.5F, 2.4F})}}, .gradient = false});
}

TEST(LowerElementwise, ComparisonsAndLogic) {
  const CaseInput a = longs("a", {1, 2, 3}), b = longs("b", {3, 2, 1});
  for (const char* op : {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"})
    check_lowerings({{std::string(op) + "(a, b)", {a, b}, 17, {"bool[] y"}},
                     {std::string(op) + "(x, z)", {some("x", {2, 3}), some("z", {3})}, 17, {"bool[] y"}}});
  const CaseInput p = {"p", Tensor::of<bool>({4}, {true, true, false, false})};
  const CaseInput q = {"q", Tensor::of<bool>({4}, {true, false, true, false})};
  for (const char* node : {"And(p, q)", "Or(p, q)", "Xor(p, q)"}) check_lowering({node, {p, q}, 17, {"bool[] y"}});
  check_lowering({"Not(p)", {p}, 17, {"bool[] y"}});
  const CaseInput holes = {"x", Tensor::of<float>({2}, {std::numeric_limits<float>::quiet_NaN(), 1})};
  check_lowering({"IsNaN(x)", {holes}, 17, {"bool[] y"}});
  const CaseInput x = some("x", {2, 4}), z = some("z", {4});
  check_lowerings({{"Where(q, x, z)", {x, q, z}}, {"Where(q, x, z)", {x, q, scalar("z", 0)}}});
}

TEST(LowerElementwise, OldOperatorSetsLayTheSecondOperandOnAnAxis) {
  // ONNX Runtime has no kernel of that age: the same in today's words.
  const CaseInput x = some("x", {2, 3, 4, 5}), z = some("z", {3});
  const std::vector<float> old = forward_of({"Add<broadcast = 1, axis = 1>(x, z)", {x, z}, 6});
  const CaseInput placed = {"z", z.value.reshaped({3, 1, 1})};
  EXPECT_EQ(old, forward_of({"Add(x, z)", {x, placed}}));
}

}  // namespace
}  // namespace pare::testing
