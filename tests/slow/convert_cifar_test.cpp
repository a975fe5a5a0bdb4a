// float16 on trained networks and real images: half the bytes, the same classes.
#include <fmt/format.h>

#include "pare/dataset.h"
#include "pare/measure.h"
#include "pare/model_io.h"
#include "quantize/convert.h"
#include "support/support.h"

namespace pare::testing {
namespace {

class ConvertCifar : public ::testing::TestWithParam<const char*> {};

std::shared_ptr<const Dataset> images(const std::filesystem::path& file, const Model& model, std::int64_t count) {
  DatasetOptions options;
  options.preprocess.scale = 1.0 / 255;
  options.preprocess.mean = {0.485, 0.456, 0.406};
  options.preprocess.std_dev = {0.229, 0.224, 0.225};
  options.inputs = model.graph.inputs;
  options.limit = count;
  return open_dataset(file, options);
}

TEST_P(ConvertCifar, HalvesTheBytesAndKeepsTheClasses) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Model model = load_model(shared / "models" / (std::string(GetParam()) + ".onnx"));
  const StepInfo step = convert();
  Context context;
  context.data = images(shared / "data" / "cifar10" / "train.bin.xz", model, 64);
  const CheckedResult checked = run_step(step, model, StepOptions(step.options, {{"keep-io", "true"}}), context);
  const auto before = static_cast<double>(serialize_model(model).size());
  const auto after = static_cast<double>(serialize_model(checked.result.model).size());
  RecordProperty("bytes", fmt::format("{} -> {}", before, after));
  EXPECT_LT(after, 0.54 * before);

  const auto test = images(shared / "data" / "cifar10" / "test.bin.xz", model, 2000);
  const auto reference = open_session(model);
  const auto half = open_session(checked.result.model);
  const double flips = evaluate_agreement(*half, *reference, *test).agreement.argmax_flips;
  RecordProperty("argmax_flips", fmt::format("{}", flips));
  EXPECT_LE(flips, 0.001 + 1e-9);

  if (!runtime_available(Runtime::kOpenVino)) return;
  SessionOptions options;
  options.runtime = Runtime::kOpenVino;
  options.force_float32 = true;
  const auto few = images(shared / "data" / "cifar10" / "test.bin.xz", model, 256);
  const auto openvino = open_session(checked.result.model, options);
  EXPECT_LE(evaluate_agreement(*openvino, *reference, *few).agreement.argmax_flips, 0.004);
}

INSTANTIATE_TEST_SUITE_P(Networks, ConvertCifar,
                         ::testing::Values("cifar10_resnet20", "cifar10_vgg16_half", "cifar10_mobilenet_v2",
                                           "cifar10_mbconv_se", "cifar10_resnet20_bn"),
                         [](const auto& file) { return std::string(file.param); });

}  // namespace
}  // namespace pare::testing
