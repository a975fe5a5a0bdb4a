#include "train/lower/model_case.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

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
    {"finn_residual_testcase", "MatrixVectorActivation"},
    {"superres_prepost_op18", "EncodeImage"},
    {"silero_vad_16k_op15", "control flow"},
};
/// Logarithms of what nearly cancels: ONNX Runtime with and without its optimizations differs by 1.5e-4.
const std::map<std::string, double> kRough = {{"basic_pitch_nmp", 1e-3}};
/// Its only output is a class of each pixel: nothing to learn from.
const std::string kWithoutGradient = "vnn22_unet_simp_small";
/// More than a second each.
const std::set<std::string> kLarge = {"agllnet_256",        "basic_pitch_nmp",   "deeplabv3_mnv2",
                                      "light_bvlc_alexnet", "light_densenet121", "light_inception_v1",
                                      "light_inception_v2", "light_resnet50",    "light_vgg19",
                                      "light_zfnet512",     "road_seg_adas",     "tbefn_240x320"};
/// Faulty in itself: it joins maps of 200 and of 201 rows, here as in every runtime.
const std::string kFaulty = "onnxconv_test0";

/// Weights, or none: some files of the zoo compute theirs as they run.
Executor executor_of(const Model& model) {
  try {
    return Executor(model);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    return Executor(model, {.trainable = false});
  }
}

void expect_same(const Tensor& got, const Tensor& wanted, double tolerance, const std::string& name) {
  ASSERT_EQ(got.shape(), wanted.shape()) << name;
  EXPECT_EQ(got.dtype(), wanted.dtype()) << name;
  const std::vector<float> a = got.to_floats(), b = wanted.to_floats();
  if (a.empty()) return;
  double range = 0, worst = 0;
  const auto [low, high] = std::minmax_element(b.begin(), b.end());
  range = std::max({range, static_cast<double>(*high) - *low, std::abs(static_cast<double>(*high))});
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::isfinite(a[i]), std::isfinite(b[i])) << name << " at " << i;
    if (std::isfinite(b[i])) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  EXPECT_LE(worst, std::max(tolerance * range, 1e-6)) << name;  // tails of sigmoids are rough in the runtime
}

void check_gradients(Executor& executor) {
  double sum = 0;
  for (const TrainedTensor& parameter : executor.parameters()) {
    const at::Tensor gradient = parameter.tensor.grad();
    ASSERT_TRUE(gradient.defined()) << parameter.name;
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
    sum += gradient.abs().sum().item<double>();
  }
  if (!executor.parameters().empty()) {
    EXPECT_GT(sum, 0);
  }
}

/// No constant of float32 turns the rest of the network back.
void check_bfloat16(Executor& executor, const std::map<std::string, at::Tensor>& inputs,
                    const std::vector<at::Tensor>& wanted) {
  const std::vector<at::Tensor> half = executor.run(inputs, {.compute = at::kBFloat16});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i].is_floating_point()) continue;
    EXPECT_EQ(half[i].scalar_type(), at::kBFloat16) << "output " << i;
    EXPECT_TRUE(at::isfinite(half[i]).all().item<bool>()) << "output " << i;
  }
}

}  // namespace

std::vector<fs::path> models_to_train(bool large) {
  std::vector<fs::path> files;
  const fs::path shared = shared_folder();
  if (shared.empty()) return files;
  for (const auto& entry : fs::recursive_directory_iterator(shared / "models"))
    if (entry.path().extension() == ".onnx" && kLarge.contains(entry.path().stem().string()) == large)
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void check_trained_model(const fs::path& path) {
  at::set_num_threads(1);
  const std::string name = path.stem().string();
  const Model model = load_model(path);
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
  const auto rough = kRough.find(name);
  at::Tensor loss;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    expect_same(from_torch(outputs[i]), wanted[i], rough == kRough.end() ? 1e-4 : rough->second,
                model.graph.outputs[i].name);
    if (!outputs[i].requires_grad()) continue;
    const at::Tensor part = outputs[i].square().mean();
    loss = loss.defined() ? loss + part : part;
  }
  ASSERT_EQ(loss.defined(), name != kWithoutGradient) << "whether an output depends on weights or inputs";
  if (!loss.defined()) return;
  loss.backward();
  check_gradients(executor);
  check_bfloat16(executor, given, outputs);
}

}  // namespace pare::testing
