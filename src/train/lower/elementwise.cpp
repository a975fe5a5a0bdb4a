// Arithmetic, comparisons and logic element by element, with broadcasting.
#include "core/fail.h"
#include "train/lower/kernels.h"

namespace pare {
namespace {

/// Before operator set 7 the second operand is laid on the first from `axis` on.
at::Tensor laid_on(const at::Tensor& left, const at::Tensor& right, std::int64_t axis) {
  LowerInts shape = right.sizes().vec();
  while (static_cast<std::int64_t>(shape.size()) + axis < left.dim()) shape.push_back(1);
  return right.reshape(shape);
}

template <class F>
MakeKernel of_two(F function) {
  return [function](const LowerInput& input) -> TorchKernel {
    const std::int64_t axis = input.opset < 7 ? input.node.int_or("axis", -1) : -1;
    return [function, axis](std::span<const at::Tensor> in, const PassOptions&) {
      const Operands operands = same_precision(in[0], axis < 0 ? in[1] : laid_on(in[0], in[1], axis));
      return Tensors{function(operands.left, operands.right)};
    };
  };
}

/// Folds any number of operands together.
template <class F>
MakeKernel of_many(F function, bool mean = false) {
  return [function, mean](const LowerInput&) -> TorchKernel {
    return [function, mean](std::span<const at::Tensor> in, const PassOptions&) {
      const Tensors operands = same_precision_of(in);
      at::Tensor y = operands[0];
      for (std::size_t i = 1; i < operands.size(); ++i) y = function(y, operands[i]);
      return Tensors{mean ? y / static_cast<double>(operands.size()) : y};
    };
  };
}

at::Tensor divide(const at::Tensor& a, const at::Tensor& b) {
  return at::isIntegralType(a.scalar_type(), true) ? at::div(a, b, "trunc") : at::div(a, b);
}

at::Tensor power(const at::Tensor& base, const at::Tensor& exponent) {
  // A number as the exponent has cheaper gradients, and exact ones where the base is negative.
  const at::Tensor y = exponent.dim() == 0 || (exponent.numel() == 1 && exponent.dim() <= base.dim())
                           ? at::pow(base, exponent.item())
                           : at::pow(base, exponent);
  return cast_to(y, base.scalar_type());
}

TorchKernel make_mod(const LowerInput& input) {
  return [c_like = input.node.int_or("fmod", 0) != 0](std::span<const at::Tensor> in, const PassOptions&) {
    const Operands operands = same_precision(in[0], in[1]);
    return Tensors{c_like ? at::fmod(operands.left, operands.right) : at::remainder(operands.left, operands.right)};
  };
}

TorchKernel make_where(const LowerInput&) {
  return [](std::span<const at::Tensor> in, const PassOptions&) {
    const Operands operands = same_precision(in[1], in[2]);
    return Tensors{at::where(in[0].to(at::kBool), operands.left, operands.right)};
  };
}

void lower_arithmetic(LoweringTable& table) {
  table.add("Add", of_two([](const at::Tensor& a, const at::Tensor& b) { return a + b; }));
  table.add("Sub", of_two([](const at::Tensor& a, const at::Tensor& b) { return a - b; }));
  table.add("Mul", of_two([](const at::Tensor& a, const at::Tensor& b) { return a * b; }));
  table.add("Div", of_two(divide));
  table.add("Pow", of_two(power));
  table.add("Mod", make_mod);
  const auto add = [](const at::Tensor& a, const at::Tensor& b) { return a + b; };
  table.add("Sum", of_many(add));
  table.add("Mean", of_many(add, true));
  table.add("Max", of_many([](const at::Tensor& a, const at::Tensor& b) { return at::maximum(a, b); }));
  table.add("Min", of_many([](const at::Tensor& a, const at::Tensor& b) { return at::minimum(a, b); }));
}

void lower_functions(LoweringTable& table) {
  table.add("Neg", of_one([](const at::Tensor& x) { return at::neg(x); }));
  table.add("Abs", of_one([](const at::Tensor& x) { return at::abs(x); }));
  table.add("Sqrt", of_one([](const at::Tensor& x) { return at::sqrt(x); }));
  table.add("Exp", of_one([](const at::Tensor& x) { return at::exp(x); }));
  table.add("Log", of_one([](const at::Tensor& x) { return at::log(x); }));
  table.add("Erf", of_one([](const at::Tensor& x) { return at::erf(x); }));
  table.add("Reciprocal", of_one([](const at::Tensor& x) { return at::reciprocal(x); }));
  table.add("Sin", of_one([](const at::Tensor& x) { return at::sin(x); }));
  table.add("Cos", of_one([](const at::Tensor& x) { return at::cos(x); }));
  table.add("Tan", of_one([](const at::Tensor& x) { return at::tan(x); }));
  table.add("Atan", of_one([](const at::Tensor& x) { return at::atan(x); }));
  // Steps: their gradient is zero.
  table.add("Round", of_one([](const at::Tensor& x) { return at::round(x); }));
  table.add("Floor", of_one([](const at::Tensor& x) { return at::floor(x); }));
  table.add("Ceil", of_one([](const at::Tensor& x) { return at::ceil(x); }));
  table.add("Sign", of_one([](const at::Tensor& x) { return at::sign(x); }));
}

void lower_logic(LoweringTable& table) {
  table.add("Equal", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::eq(a, b); }));
  table.add("Less", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::lt(a, b); }));
  table.add("LessOrEqual", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::le(a, b); }));
  table.add("Greater", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::gt(a, b); }));
  table.add("GreaterOrEqual", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::ge(a, b); }));
  table.add("And", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::logical_and(a, b); }));
  table.add("Or", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::logical_or(a, b); }));
  table.add("Xor", of_two([](const at::Tensor& a, const at::Tensor& b) { return at::logical_xor(a, b); }));
  table.add("Not", of_one([](const at::Tensor& x) { return at::logical_not(x); }));
  table.add("IsNaN", of_one([](const at::Tensor& x) { return at::isnan(x); }));
  table.add("Where", make_where);
}

}  // namespace

void lower_elementwise(LoweringTable& table) {
  lower_arithmetic(table);
  lower_functions(table);
  lower_logic(table);
}

}  // namespace pare
