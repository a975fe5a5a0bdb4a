#include "train/lower/lower_case.h"

namespace pare::testing {
namespace {

TEST(LowerActivation, EveryFunctionComputesWhatTheRuntimeDoes) {
  const CaseInput x = some("x", {2, 3, 4, 5}, -4, 4);
  for (const char* node :
       {"Relu(x)", "LeakyRelu(x)", "LeakyRelu<alpha = 0.2>(x)", "Sigmoid(x)", "Tanh(x)", "HardSigmoid(x)",
        "HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)", "HardSigmoid<alpha = 0.3, beta = 0.4>(x)", "HardSwish(x)",
        "Elu(x)", "Elu<alpha = 0.5>(x)", "Selu(x)", "Selu<alpha = 1.5, gamma = 1.2>(x)", "Celu<alpha = 2.0>(x)",
        "ThresholdedRelu<alpha = 0.7>(x)", "Softplus(x)", "Softsign(x)"})
    check_lowering({node, {x}});
  check_lowerings({{"Mish(x)", {x}, 18},
                   {"Gelu(x)", {x}, 20},
                   {"Gelu<approximate = \"tanh\">(x)", {x}, 20},
                   {"com.microsoft.Gelu(x)", {x}}});
}

TEST(LowerActivation, ClipTakesLimitsFromInputsAndAttributes) {
  const CaseInput x = some("x", {2, 3, 4, 5}, -4, 9), low = scalar("low", 0), high = scalar("high", 6);
  check_lowerings({{"Clip(x, low, high)", {x, low, high}},
                   {"Clip(x, , high)", {x, high}},
                   {"Clip(x, low)", {x, low}},
                   {"Clip(x)", {x}},
                   {"Clip<min = 0.0, max = 6.0>(x)", {x}, 10},
                   {"Clip<max = 1.0>(x)", {x}, 6}});
  const CaseInput whole = {"x", Tensor::of<std::int64_t>({3}, {-2, 1, 5})};
  check_lowering({"Clip(x, low)", {whole, given("low", Tensor::scalar<std::int64_t>(0))}, 17, {"int64[] y"}});
}

TEST(LowerActivation, PReluTakesSlopesOfEveryShape) {
  const CaseInput x = some("x", {2, 3, 4, 5});
  check_lowerings({{"PRelu(x, s)", {x, some("s", {3, 1, 1})}},
                   {"PRelu(x, s)", {x, some("s", {1})}},
                   {"PRelu(x, s)", {x, some("s", {5})}},
                   {"PRelu(x, s)", {x, some("s", {1, 3, 1, 1})}},
                   {"PRelu(x, s)", {x, some("s", {3, 4, 5})}},
                   {"PRelu(x, s)", {some("x", {4, 3}), some("s", {3})}}});
}

TEST(LowerActivation, SoftmaxCoversOneAxisOrAllThatFollow) {
  const CaseInput x = some("x", {2, 3, 4, 5}, -3, 3);
  check_lowerings({{"Softmax(x)", {x}},
                   {"Softmax<axis = 1>(x)", {x}},
                   {"Softmax<axis = -2>(x)", {x}},
                   {"Softmax(x)", {x}, 11},
                   {"Softmax<axis = 2>(x)", {x}, 11},
                   {"Softmax<axis = -1>(x)", {x}, 11},
                   {"LogSoftmax<axis = 1>(x)", {x}},
                   {"LogSoftmax(x)", {x}, 9},
                   {"LogSoftmax(x)", {some("x", {4, 10})}, 9}});
}

}  // namespace
}  // namespace pare::testing
