// The main job on trained networks and real images: what README claims, with bounds that a regression would break.
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "pare/inspect.h"

namespace pare::testing {
namespace {

struct Network {
  const char* file;
  const char* preprocess;  ///< "" for raw pixels
  double least_top1;       ///< on the first 4,000 test images
  double size_share;       ///< of the float file
};

std::ostream& operator<<(std::ostream& out, const Network& network) { return out << network.file; }

constexpr const char* kNormalized =
    R"({"scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})";

class TimedCompress : public ::testing::TestWithParam<Network> {};

TEST_P(TimedCompress, IsSmallerFasterAndAsAccurateAsAllowed) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const Network network = GetParam();
  const TempDir folder;
  const std::string preprocess = (folder / "preprocess.json").string(), out = (folder / "out.onnx").string();
  write_file(preprocess, network.preprocess);
  const std::string cifar = (shared / "data" / "cifar10").string(), model = (shared / "models" / network.file).string();
  const CommandResult result =
      pare_command(folder, "compress " + model + " --data " + cifar + "/train.bin.xz --eval " + cifar +
                               "/test.bin.xz --max-drop 1% --time 1 --preprocess " + preprocess + " -o " + out +
                               " --report " + (folder / "report.json").string());
  ASSERT_EQ(result.code, 0) << result.err << result.out;
  const auto report = nlohmann::json::parse(read_file(folder / "report.json"));
  ASSERT_GE(report["taken"].get<int>(), 1) << "the float model was taken:\n" << result.out;
  const auto& taken = report["candidates"][report["taken"].get<std::size_t>()];
  EXPECT_GE(taken["evaluation"]["value"].get<double>(), network.least_top1) << result.out;
  EXPECT_GT(taken["speed"]["interval_95"][0].get<double>(), 1.0) << result.out;
  EXPECT_EQ(taken["size_bytes"].get<std::int64_t>(), size_on_disk(out))
      << "the size that was shown is not that of the file";
  EXPECT_LT(static_cast<double>(size_on_disk(out)), network.size_share * static_cast<double>(size_on_disk(model)));
  EXPECT_LE(inspect_model(load_model(out)).total_macs, inspect_model(load_model(model)).total_macs);
  EXPECT_EQ(pare_command(folder, "verify " + out).code, 0);
}

INSTANTIATE_TEST_SUITE_P(Cifar, TimedCompress,
                         ::testing::Values(Network{"cifar10_resnet20.onnx", kNormalized, 0.912, 0.31},
                                           Network{"mlperf_tiny_resnet8_cifar10.onnx", "{}", 0.865, 0.31}));

}  // namespace
}  // namespace pare::testing
