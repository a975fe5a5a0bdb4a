// From a raster to a trained, judged and compressed map network, by commands alone.
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/random.h"
#include "data/image.h"
#include "data/samples.h"
#include "pare/train.h"

namespace pare::testing {
namespace {

constexpr int kSide = 96;

class Maps : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!data::can_decode_images()) GTEST_SKIP() << "a build without GDAL";
    if (!training_available().available) GTEST_SKIP() << "a build without torch";
    // Bands from 0 to 255; 3000 + band 1 - 2 * band 2 is to be predicted, unknown on a quarter of the pixels.
    Rng rng(1);
    std::vector<float> bands, target;
    for (int i = 0; i < kSide * kSide; ++i) {
      const double first = 255 * rng.uniform(), second = 255 * rng.uniform();
      bands.insert(bands.end(), {static_cast<float>(first), static_cast<float>(second)});
      target.push_back(i % 4 == 0 ? -9999 : static_cast<float>(3000 + first - 2 * second));
    }
    write_file(folder_ / "scene.tif", tiff_file<float>(kSide, kSide, 2, bands));
    write_file(folder_ / "scene_target.tif", tiff_file<float>(kSide, kSide, 1, target, {.nodata = "-9999"}));
    write_file(folder_ / "tiles.json", R"({"tile": 8})");
    command("new regressor --channels 8 --depth 1 --bands 2 --size 8 --preprocess " + path("tiles.json") + " -o " +
            path("untrained.onnx"));
    command("finetune " + path("untrained.onnx") + " --precision float32 --epochs 40 --data " +
            path("scene.tif#train") + " -o " + path("net.onnx"));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  CommandResult command(const std::string& words) const {
    CommandResult result = pare_command(folder_, words);
    EXPECT_EQ(result.code, 0) << words << "\n" << result.err;
    return result;
  }
  nlohmann::json evaluation(const std::string& model) const {
    command("eval " + path(model) + " --data " + path("scene.tif#test") + " --json " + path("eval.json"));
    return nlohmann::json::parse(read_file(folder_ / "eval.json")).at("evaluation");
  }
  TempDir folder_;
};

TEST_F(Maps, LearnValuesInTheirOwnUnitsAndLeaveUnknownOnesOut) {
  const nlohmann::json before = evaluation("untrained.onnx"), after = evaluation("net.onnx");
  EXPECT_GT(before.at("value").get<double>(), 1000);
  EXPECT_LT(after.at("value").get<double>(),
            50);  // the deviation is 165; a single -9999 among them would be 13,000 off
  EXPECT_GT(after.at("regression").at("r2").get<double>(), 0.9);
  const CommandResult printed = command("eval " + path("net.onnx") + " --data " + path("scene.tif#test"));
  EXPECT_THAT(printed.out, ::testing::HasSubstr("would be the RMSE of the targets' mean alone"));
}

TEST_F(Maps, APrunedNetworkIsNotWorseAfterFineTuning) {
  const std::string data = " --data " + path("scene.tif#train");
  command("prune " + path("net.onnx") + " macs=60%" + data + " -o " + path("pruned.onnx"));
  command("finetune " + path("pruned.onnx") + " --precision float32 --epochs 10 --teacher " + path("net.onnx") + data +
          " -o " + path("tuned.onnx"));
  EXPECT_LT(evaluation("tuned.onnx").at("value").get<double>(),
            1.02 * evaluation("pruned.onnx").at("value").get<double>());
}

TEST_F(Maps, CompressSetsWholeBlocksAside) {
  const CommandResult result = command("compress " + path("net.onnx") + " --data " + path("scene.tif") +
                                       " --limit 6 --same-widths --time 0.1 --max-drop 50% -o " + path("small.onnx"));
  // The first six tiles of a row lie in three blocks, two in each: half of them would be three.
  EXPECT_THAT(result.out, ::testing::HasSubstr(" 2 of them set aside"));
}

}  // namespace
}  // namespace pare::testing
