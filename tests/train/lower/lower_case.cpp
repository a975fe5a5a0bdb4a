#include "train/lower/lower_case.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <random>

#include "pare/model_io.h"
#include "pare/session.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/executor.h"

namespace pare::testing {
namespace {

constexpr std::int64_t kProbes = 48;  ///< elements of an input that finite differences look at

std::string type_text(const Tensor& tensor) {
  const std::string name(tensor.dtype() == DType::kFloat32   ? "float"
                         : tensor.dtype() == DType::kFloat64 ? "double"
                                                             : dtype_name(tensor.dtype()));
  return tensor.rank() == 0 ? name : fmt::format("{}[{}]", name, fmt::join(tensor.shape(), ", "));
}

Model model_of(const LowerCase& lower_case) {
  std::vector<std::string> inputs;
  for (const CaseInput& input : lower_case.inputs)
    if (!input.fixed) inputs.push_back(type_text(input.value) + " " + input.name);
  std::vector<std::string> names;
  for (const std::string& output : lower_case.outputs) names.push_back(output.substr(output.rfind(' ') + 1));
  Model model =
      model_from_text(fmt::format("<ir_version: 8, opset_import: [\"\" : {}, \"com.microsoft\" : 1]> g ({}) => ({}) {{ "
                                  "{} = {} }}",
                                  lower_case.opset, fmt::join(inputs, ", "), fmt::join(lower_case.outputs, ", "),
                                  fmt::join(names, ", "), lower_case.node));
  for (const CaseInput& input : lower_case.inputs)
    if (input.fixed) model.graph.initializers.set(input.name, input.value);
  return model;
}

/// Between -1 and 1, the same for the same shape.
at::Tensor projection(at::IntArrayRef shape) {
  at::Tensor out = at::empty(shape, at::kDouble);
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (std::int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = uniform(random);
  return out;
}

/// The random projection of all floating outputs; undefined if there are none.
at::Tensor project(const std::vector<at::Tensor>& outputs) {
  at::Tensor sum;
  for (const at::Tensor& output : outputs) {
    if (!output.defined() || !output.is_floating_point()) continue;
    const at::Tensor part = (output.to(at::kDouble) * projection(output.sizes())).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

double range_of(const at::Tensor& tensor) {
  if (tensor.numel() == 0) return 1;
  const double high = tensor.max().item<double>(), low = tensor.min().item<double>();
  return std::max({high - low, std::abs(high), std::abs(low), 1e-6});
}

void expect_near(const at::Tensor& got, const at::Tensor& wanted, double tolerance, const std::string& what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  if (got.numel() == 0) return;
  const at::Tensor a = got.detach().to(at::kDouble), b = wanted.detach().to(at::kDouble);
  const at::Tensor differences = at::where(a.eq(b), at::zeros_like(a), (a - b).abs());
  const std::int64_t worst = differences.argmax().item<std::int64_t>();
  const double difference = differences.reshape(-1)[worst].item<double>();
  EXPECT_LE(difference, tolerance * range_of(b))
      << what << " at " << worst << ": got " << a.reshape(-1)[worst].item<double>() << ", wanted "
      << b.reshape(-1)[worst].item<double>();
}

struct Pass {
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> gradients;  ///< to the float inputs of the graph
};

Pass run_executor(const LowerCase& lower_case, bool channels_last, at::ScalarType compute) {
  Executor executor(model_of(lower_case), {.trainable = false, .channels_last = channels_last});
  std::map<std::string, at::Tensor> inputs;
  std::vector<at::Tensor> leaves;
  for (const CaseInput& input : lower_case.inputs) {
    if (input.fixed) continue;
    at::Tensor value = to_torch(input.value);
    if (compute == at::kBFloat16 && &input == lower_case.inputs.data() && value.is_floating_point())
      value = value.to(compute);
    if (value.is_floating_point()) leaves.push_back(value.set_requires_grad(true));
    inputs[input.name] = value;
  }
  Pass pass = {executor.run(inputs, {.compute = compute}), {}};
  const at::Tensor loss = project(pass.outputs);
  if (!loss.defined() || !loss.requires_grad()) return pass;
  loss.backward();
  for (const at::Tensor& leaf : leaves)
    pass.gradients.push_back(leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
  return pass;
}

void check_forward(const LowerCase& lower_case) {
  NamedTensors inputs;
  for (const CaseInput& input : lower_case.inputs)
    if (!input.fixed) inputs[input.name] = input.value;
  const std::vector<Tensor> wanted = open_session(model_of(lower_case))->run(inputs);
  const Pass rows = run_executor(lower_case, false, at::kFloat), last = run_executor(lower_case, true, at::kFloat);
  ASSERT_EQ(rows.outputs.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const at::Tensor expected = to_torch(wanted[i]);
    if (!lower_case.integers_as_floats) {
      EXPECT_EQ(rows.outputs[i].scalar_type(), expected.scalar_type());
    }
    expect_near(rows.outputs[i], expected, lower_case.tolerance, fmt::format("output {}", i));
    expect_near(last.outputs[i], rows.outputs[i], 1e-5, fmt::format("output {} with channels last", i));
  }
  ASSERT_EQ(rows.gradients.size(), last.gradients.size());
  for (std::size_t i = 0; i < rows.gradients.size(); ++i)
    expect_near(last.gradients[i], rows.gradients[i], 1e-5, fmt::format("gradient {} with channels last", i));

  if (!lower_case.bfloat16 || lower_case.inputs[0].fixed || lower_case.inputs[0].value.dtype() != DType::kFloat32)
    return;
  const Pass half = run_executor(lower_case, true, at::kBFloat16);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const at::Tensor expected = to_torch(wanted[i]);
    if (expected.is_floating_point()) {
      EXPECT_EQ(half.outputs[i].scalar_type(), at::kBFloat16) << "output " << i << " left bfloat16";
    }
    expect_near(half.outputs[i], expected, 2e-2, fmt::format("output {} in bfloat16", i));
  }
}

void check_gradients(const LowerCase& lower_case) {
  const Model model = model_of(lower_case);
  const Node& node = model.graph.nodes.at(0);
  const Lowering* lowering = all_lowerings().find(node);
  ASSERT_NE(lowering, nullptr);
  const TorchKernel kernel = lowering->make({node, lower_case.opset});
  std::vector<at::Tensor> inputs;
  std::vector<std::size_t> learned;
  for (const std::string& name : node.inputs) {
    at::Tensor value;
    for (const CaseInput& input : lower_case.inputs) {
      if (input.name != name) continue;
      value = to_torch(input.value);
      if (value.scalar_type() != at::kFloat) continue;
      value = value.to(at::kDouble);
      if (!input.fixed) learned.push_back(inputs.size());
    }
    inputs.push_back(value);
  }
  if (learned.empty()) return;
  const auto projected = [&] {
    std::vector<at::Tensor> outputs = kernel(inputs, {.compute = at::kDouble});
    outputs.resize(std::min(outputs.size(), node.outputs.size()));
    return project(outputs);
  };
  for (const std::size_t i : learned) inputs[i].set_requires_grad(true);
  const at::Tensor loss = projected();
  if (!loss.defined()) return;  // counts, places and truths have no gradient
  ASSERT_TRUE(loss.requires_grad()) << "the outputs do not depend on the inputs";
  loss.backward();
  std::vector<at::Tensor> gradients;
  for (const std::size_t i : learned) {
    gradients.push_back(inputs[i].grad().defined() ? inputs[i].grad().contiguous() : at::zeros_like(inputs[i]));
    inputs[i] = inputs[i].detach().clone();
  }
  for (std::size_t k = 0; k < learned.size(); ++k) {
    auto* values = inputs[learned[k]].data_ptr<double>();
    const double scale = range_of(gradients[k]);
    const std::int64_t count = inputs[learned[k]].numel(), probes = std::min(kProbes, count);
    for (std::int64_t probe = 0; probe < probes; ++probe) {
      const std::int64_t at = probe * count / probes;
      const double before = values[at], step = 1e-6 * std::max(1.0, std::abs(before));
      values[at] = before + step;
      const double above = projected().item<double>();
      values[at] = before - step;
      const double below = projected().item<double>();
      values[at] = before;
      const double wanted = (above - below) / (2 * step), got = gradients[k].data_ptr<double>()[at];
      EXPECT_NEAR(got, wanted, 1e-6 * std::max(1.0, scale)) << "gradient to input " << learned[k] << " at " << at;
    }
  }
}

}  // namespace

CaseInput some(std::string name, Shape shape, double low, double high) {
  std::mt19937_64 random(std::hash<std::string>{}(name));
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(uniform(random));
  return {std::move(name), Tensor::of(std::move(shape), values)};
}

CaseInput given(std::string name, Tensor value) { return {std::move(name), std::move(value), true}; }

CaseInput ints(std::string name, const std::vector<std::int64_t>& values) {
  return given(std::move(name), Tensor::of({static_cast<std::int64_t>(values.size())}, values));
}

CaseInput floats(std::string name, const std::vector<float>& values) {
  return given(std::move(name), Tensor::of({static_cast<std::int64_t>(values.size())}, values));
}

CaseInput scalar(std::string name, float value) { return given(std::move(name), Tensor::scalar(value)); }

void check_lowering(const LowerCase& lower_case) {
  at::set_num_threads(1);  // waiting threads of a busy machine cost more than they compute
  std::string shapes;
  for (const CaseInput& input : lower_case.inputs) shapes += " " + input.name + shape_text(input.value.shape());
  SCOPED_TRACE(fmt::format("{} opset {},{}", lower_case.node, lower_case.opset, shapes));
  try {
    check_forward(lower_case);
    if (lower_case.gradient) check_gradients(lower_case);
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

void check_lowerings(const std::vector<LowerCase>& cases) {
  for (const LowerCase& lower_case : cases) check_lowering(lower_case);
}

std::vector<float> forward_of(const LowerCase& lower_case) {
  return from_torch(run_executor(lower_case, false, at::kFloat).outputs[0].detach()).to_floats();
}

std::string refusal_of(const LowerCase& lower_case) {
  const std::vector<NodeReason> refused = Executor::refusals(model_of(lower_case));
  if (refused.empty()) {
    ADD_FAILURE() << lower_case.node << " is not refused";
    return "";
  }
  return refused[0].reason;
}

}  // namespace pare::testing
