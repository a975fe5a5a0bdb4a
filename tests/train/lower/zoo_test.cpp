// Every real model runs through the executor as in the runtime and hands gradients back, or is refused by name.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "pare/model_io.h"
#include "pare/session.h"
#include "rewrite/rewrites.h"
#include "support/support.h"
#include "train/lower/torch_tensor.h"
#include "train/torch/executor.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

/// What is no convolutional network of floats, and the words of its refusal.
const std::map<std::string, std::string> kRefused = {
    {"finn_residual_testcase", "StreamingFIFO"},
    {"superres_prepost_op18", "EncodeImage"},
    {"silero_vad_16k_op15", "control flow"},
};
/// Faulty in itself: it joins maps of 200 and of 201 rows, here as in every runtime.
const std::string kFaulty = "onnxconv_test0";

std::vector<fs::path> real_models() {
  std::vector<fs::path> files;
  const fs::path shared = shared_folder();
  if (shared.empty()) return files;
  for (const auto& entry : fs::recursive_directory_iterator(shared / "models"))
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class TrainedModel : public ::testing::TestWithParam<fs::path> {};

/// Weights, or none: some files of the zoo compute theirs as they run.
Executor executor_of(const Model& model) {
  try {
    return Executor(model);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    return Executor(model, {.trainable = false});
  }
}

void expect_same(const Tensor& got, const Tensor& wanted, const std::string& name) {
  ASSERT_EQ(got.shape(), wanted.shape()) << name;
  EXPECT_EQ(got.dtype(), wanted.dtype()) << name;
  const std::vector<float> a = got.to_floats(), b = wanted.to_floats();
  if (a.empty()) return;
  double range = 1e-6, worst = 0;
  const auto [low, high] = std::minmax_element(b.begin(), b.end());
  range = std::max({range, static_cast<double>(*high) - *low, std::abs(static_cast<double>(*high))});
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::isfinite(a[i]), std::isfinite(b[i])) << name << " at " << i;
    if (std::isfinite(b[i])) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  EXPECT_LE(worst, 1e-4 * range) << name;
}

TEST_P(TrainedModel, RunsAsInTheRuntimeAndHasGradients) {
  at::set_num_threads(1);
  const std::string name = GetParam().stem().string();
  const Model model = load_model(GetParam());
  if (const auto refused = kRefused.find(name); refused != kRefused.end()) {
    expect_error([&] { (void)Executor(model); }, ErrorCode::kUnsupported, {refused->second.c_str()});
    return;
  }
  Context context;
  const Model current = model.opset() < 7 ? rewrite_model(model, context).model : model;  // what the runtime takes
  NamedTensors inputs;
  try {
    inputs = probe_inputs(current);
  } catch (const Error& error) {
    EXPECT_EQ(name, kFaulty) << error.what();
    return;
  }
  const std::vector<Tensor> wanted = open_session(current)->run(inputs);

  Executor executor = executor_of(model);
  std::map<std::string, at::Tensor> given;
  for (const auto& [key, value] : inputs) {
    given[key] = to_torch(value);
    if (given[key].is_floating_point()) given[key].set_requires_grad(true);
  }
  const std::vector<at::Tensor> outputs = executor.run(given, {});
  ASSERT_EQ(outputs.size(), wanted.size());
  at::Tensor loss;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    expect_same(from_torch(outputs[i]), wanted[i], model.graph.outputs[i].name);
    if (!outputs[i].requires_grad()) continue;
    const at::Tensor part = outputs[i].square().mean();
    loss = loss.defined() ? loss + part : part;
  }
  ASSERT_TRUE(loss.defined()) << "no output depends on weights or inputs";
  loss.backward();
  double sum = 0;
  std::int64_t reached = 0;
  for (const TrainedTensor& parameter : executor.parameters()) {
    const at::Tensor gradient = parameter.tensor.grad();
    if (!gradient.defined()) continue;
    ++reached;
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
    sum += gradient.abs().sum().item<double>();
  }
  if (!executor.parameters().empty()) {
    EXPECT_EQ(reached, static_cast<std::int64_t>(executor.parameters().size())) << "parameters without a gradient";
    EXPECT_GT(sum, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Lower, TrainedModel, ::testing::ValuesIn(real_models()), [](const auto& instance) {
  std::string name = instance.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TrainedModel);

}  // namespace
}  // namespace pare::testing
