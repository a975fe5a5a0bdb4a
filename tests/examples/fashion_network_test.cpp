// The example that makes the demo's network: on a small part of the data it must already be worth something, and be
// what the demo needs (BatchNormalization to fold, preprocessing in the metadata, a batch of any size).
#include <sys/wait.h>

#include <cstdlib>
#include <regex>

#include "pare/dataset.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

const std::filesystem::path kData = "/usr/share/datasets/fashion-mnist";

struct Outcome {
  int code = -1;
  std::string out, err;
};

Outcome run_example(const std::string& arguments) {
  const TempDir folder;
  const std::string command = std::string(PARE_BINARY_DIR) + "/fashion_network " + arguments + " >" +
                              (folder / "out").string() + " 2>" + (folder / "err").string();
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(folder / "out"), read_file(folder / "err")};
}

bool have_data() {
  if (std::filesystem::exists(kData / "train-images-idx3-ubyte.gz")) return true;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") ADD_FAILURE() << "no Fashion-MNIST in " << kData;
  return false;
}

TEST(FashionNetwork, LearnsFromAFewThousandImages) {
  if (!have_data()) GTEST_SKIP() << "no Fashion-MNIST in " << kData << " (Debian package dataset-fashion-mnist)";
  const TempDir folder;
  const std::filesystem::path file = folder / "fashion.onnx";
  const Outcome outcome = run_example(kData.string() + " " + file.string() + " --samples 2000");
  ASSERT_EQ(outcome.code, 0) << outcome.err;

  std::smatch match;
  ASSERT_TRUE(std::regex_search(outcome.out, match, std::regex(R"(top-1 ([0-9.]+) %)"))) << outcome.out;
  EXPECT_GT(std::stod(match[1]), 75) << outcome.out;
  EXPECT_LT(std::stod(match[1]), 95) << "too good to be true for so few images: is it tested on what it learned from?";

  const Model model = load_model(file);
  check_model(model);
  std::map<std::string, int> count;
  for (const Node& node : model.graph.nodes) ++count[node.op_type];
  EXPECT_EQ(count["Conv"], 4);
  EXPECT_EQ(count["BatchNormalization"], 4);
  EXPECT_EQ(model.opset(), 17);
  ASSERT_EQ(model.graph.inputs.size(), 1U);
  EXPECT_FALSE(model.graph.inputs[0].shape->front().value.has_value());
  const std::string* preprocess = model.find_metadata(kPreprocessKey);
  ASSERT_NE(preprocess, nullptr);
  EXPECT_NEAR(*parse_preprocess(*preprocess).scale, 1.0 / 255, 1e-12);
}

TEST(FashionNetwork, SaysHowItIsCalled) {
  EXPECT_EQ(run_example("").code, 1);
  EXPECT_THAT(run_example("one").err, ::testing::HasSubstr("usage: fashion_network DATA_FOLDER OUT.onnx"));
  EXPECT_THAT(run_example("one two --samples three").err, ::testing::HasSubstr("usage"));
}

TEST(FashionNetwork, NamesTheFolderWithoutData) {
  const TempDir folder;
  const Outcome outcome = run_example((folder / "nothing").string() + " " + (folder / "out.onnx").string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr((folder / "nothing").string()));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.onnx"));
}

}  // namespace
}  // namespace pare::testing
