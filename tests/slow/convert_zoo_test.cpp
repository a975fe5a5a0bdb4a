// Every real network of the zoo becomes float16 with outputs close to the float ones, or is listed here with the
// reason.
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "pare/model_io.h"
#include "quantize/convert.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Files that are refused, with a part of the message.
const std::map<std::string, std::string> kRefused = {
    {"superres_caffe2_tutorial", "operator set 1"},  // Cast names its types by words before operator set 6
};
/// Files whose outputs may be further from the float ones than the rest, with the least cosine and the reason.
const std::map<std::string, double> kCosine = {
    {"basic_pitch_nmp", 0.99},                 // logarithm of powers of nearly cancelling sums; the input is noise
    {"ch_ppocr_mobile_v2.0_det_infer", 0.99},  // no text in noise: all probabilities are below 3e-6
    {"light_squeezenet", 0.99},                // made-up weights: Softmax of numbers around 1e10
};

/// Files that no runtime here runs before conversion either: structure and types are checked, numbers cannot be.
const std::set<std::string> kDoesNotRun = {
    "finn_residual_testcase",  // operators of a hardware compiler
    "onnxconv_test0",          // shapes that contradict each other
    "superres_prepost_op18",   // decodes JPEG with operators of an extension library
};
/// Files that OpenVINO does not take before conversion either.
const std::set<std::string> kNotInOpenVino = {"silero_vad_16k_op15"};  // ranks that only the bodies of If know

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) && !std::isfinite(b[i])) continue;
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa == 0 && bb == 0 ? 1 : ab / std::sqrt(aa * bb);
}

/// A window of sound, the state and the sampling rate, which no guess finds.
NamedTensors silero_inputs() {
  std::vector<float> wave(576);
  for (std::size_t i = 0; i < wave.size(); ++i) wave[i] = 0.3F * std::sin(0.05F * static_cast<float>(i));
  return {{"input", Tensor::of<float>({1, 576}, wave)},
          {"state", Tensor::zeros(DType::kFloat32, {2, 1, 128})},
          {"sr", Tensor::scalar<std::int64_t>(16000)}};
}

void expect_alike(const std::string& file, const Model& before, const Model& after, const NamedTensors& inputs,
                  const SessionOptions& options, const std::string& story) {
  const std::vector<Tensor> wanted = open_session(before, options)->run(inputs);
  const std::vector<Tensor> got = open_session(after, options)->run(inputs);
  const auto listed = kCosine.find(file);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!is_float(wanted[i].dtype()) || wanted[i].shape() != got[i].shape()) continue;
    EXPECT_GE(cosine(wanted[i].to_floats(), got[i].to_floats()), listed == kCosine.end() ? 0.999 : listed->second)
        << runtime_name(options.runtime) << ", output " << before.graph.outputs[i].name << "\n"
        << story;
  }
}

class ConvertZoo : public ::testing::TestWithParam<std::string> {};

TEST_P(ConvertZoo, StaysClose) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const std::string name = GetParam();
  const StepInfo step = convert();
  const StepOptions options(step.options, {{"keep-io", "true"}});
  Context context;
  CheckedResult checked;
  Model model;
  try {
    model = load_model(shared / "models" / "zoo" / (name + ".onnx"));
    checked = run_step(step, model, options, context);
  } catch (const Error& error) {
    const auto expected = kRefused.find(name);
    ASSERT_NE(expected, kRefused.end()) << error.what();
    EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr(expected->second));
    return;
  }
  EXPECT_FALSE(kRefused.contains(name)) << "is converted now: take it off the list";
  const StepResult& result = checked.result;
  std::map<std::string, int> reasons;
  for (const NodeReason& skipped : result.skipped) ++reasons[skipped.op_type + ": " + skipped.reason.substr(0, 60)];
  const auto figure = [&](const char* key) {
    const auto found = result.figures.find(key);
    return found == result.figures.end() ? 0.0 : found->second;
  };
  std::string line = fmt::format("{}: {} nodes float16, {} float32, {} casts, {:.0f} -> {:.0f} weight bytes", name,
                                 result.done.size(), result.skipped.size(), figure("casts_added"),
                                 figure("weight_bytes_before"), figure("weight_bytes_after"));
  for (const auto& [reason, times] : reasons) line += fmt::format("\n    {} x {}", times, reason);
  for (const std::string& note : result.notes) line += "\n    note: " + note;
  RecordProperty("outcome", line);

  if (kDoesNotRun.contains(name)) return;
  const NamedTensors inputs = name.starts_with("silero") ? silero_inputs() : probe_inputs(model);
  expect_alike(name, model, result.model, inputs, {}, line);
  SessionOptions openvino;
  openvino.runtime = Runtime::kOpenVino;
  openvino.force_float32 = true;
  if (!runtime_available(Runtime::kOpenVino)) return;
  if (kNotInOpenVino.contains(name)) {
    EXPECT_THROW((void)open_session(model, openvino), Error) << "is taken now: take it off the list";
    return;
  }
  expect_alike(name, model, result.model, inputs, openvino, line);
}

std::vector<std::string> zoo() {
  std::vector<std::string> names;
  const auto shared = shared_folder();
  if (shared.empty()) return {"none"};
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo"))
    if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, ConvertZoo, ::testing::ValuesIn(zoo()), [](const auto& file) {
  std::string name = file.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace pare::testing
