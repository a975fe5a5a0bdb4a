// lower_case.h - one operator of a table: its forward against ONNX Runtime, its gradients against finite differences.
#pragma once

#include <string>
#include <vector>

#include "pare/tensor.h"
#include "support/support.h"

namespace pare::testing {

struct CaseInput {
  std::string name;
  Tensor value;
  bool fixed = false;  ///< an initializer; else an input of the graph, and, if of floats, the gradient to it is checked
};
/// Floats between `low` and `high`, seeded by the name.
CaseInput some(std::string name, Shape shape, double low = -1, double high = 1);
CaseInput given(std::string name, Tensor value);
CaseInput ints(std::string name, const std::vector<std::int64_t>& values);  ///< initializer of one dimension
CaseInput floats(std::string name, const std::vector<float>& values);       ///< initializer of one dimension
CaseInput scalar(std::string name, float value);                            ///< initializer without dimensions

struct LowerCase {
  std::string node;  ///< text: "Conv<pads = [1, 1, 1, 1]>(x, w)"; the first input is the activation
  std::vector<CaseInput> inputs;
  std::int64_t opset = 17;
  std::vector<std::string> outputs = {"float[] y"};
  double tolerance = 1e-4;          ///< of the range of an output
  bool gradient = true;             ///< false: not what finite differences see (straight-through estimators)
  bool bfloat16 = true;             ///< false: differs by more than rounding (steps, sorting)
  bool integers_as_floats = false;  ///< integers that carry a gradient come as floats
};

/// Forward in float32 equals ONNX Runtime's; in bfloat16 nearly, and bfloat16 activations stay bfloat16; gradients of
/// a random projection of all outputs with respect to all floats, in double, equal central differences; outputs and
/// gradients are the same with channels last.
void check_lowering(const LowerCase& lower_case);
void check_lowerings(const std::vector<LowerCase>& cases);

/// The first output, where ONNX Runtime has no kernel to compare with.
std::vector<float> forward_of(const LowerCase& lower_case);
/// The case's message when the network is refused. Fails the test if it is not.
std::string refusal_of(const LowerCase& lower_case);

}  // namespace pare::testing
