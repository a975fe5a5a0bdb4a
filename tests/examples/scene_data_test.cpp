// The drawn data: it opens as what it is meant to be, is the same for the same seed, and is neither trivial nor noise.
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <regex>

#include "pare/architecture.h"
#include "pare/dataset.h"
#include "support/support.h"

namespace pare::testing {
namespace {

struct Drawn {
  int code = -1;
  std::string out, err;
};

Drawn draw(const std::string& program, const std::string& arguments) {
  const TempDir folder;
  const std::string command = std::string(PARE_BINARY_DIR) + "/" + program + " " + arguments + " >" +
                              (folder / "out").string() + " 2>" + (folder / "err").string();
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(folder / "out"), read_file(folder / "err")};
}

std::unique_ptr<Dataset> open_for(const Model& model, const std::filesystem::path& folder, const std::string& file) {
  DatasetOptions options;
  options.inputs = model.graph.inputs;
  options.preprocess = parse_preprocess(read_file(folder / "preprocess.json"));
  return open_dataset(folder / file, options);
}

Batch first_samples(const Dataset& dataset, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return dataset.batch(indices);
}

double number_in(const std::string& text, const char* pattern) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern))) ADD_FAILURE() << pattern << " is not in\n" << text;
  return match.empty() ? 0 : std::stod(match[1]);
}

/// Mean 0 and deviation 1 as the preprocessing promises for the training part.
void expect_standard(const Tensor& x) {
  double sum = 0, squares = 0;
  const std::vector<float> values = x.to_floats();
  for (const float value : values) sum += value, squares += static_cast<double>(value) * value;
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 0.05);
  EXPECT_NEAR(squares / n, 1, 0.1);
}

TEST(DrawScenes, IsALabelledSetOfSixClasses) {
  const TempDir folder;
  const Drawn drawn = draw("draw_scenes", folder.path().string() + " --train 600 --test 300");
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const Model model = new_model("resnet8", {{"bands", "4"}, {"classes", "6"}});
  const auto train = open_for(model, folder.path(), "train.npz"), test = open_for(model, folder.path(), "test.npz");
  EXPECT_EQ(train->task(), Task::kClassification);
  EXPECT_EQ(train->size(), 600);
  EXPECT_EQ(test->size(), 300);
  EXPECT_EQ(train->class_count(), 6);
  const Batch batch = first_samples(*train, 600);
  const Tensor& x = batch.inputs.at("x");
  EXPECT_EQ(x.shape(), (Shape{600, 4, 32, 32}));
  expect_standard(x);
  EXPECT_EQ(std::count(batch.labels.begin(), batch.labels.end(), 3), 100);
}

TEST(DrawScenes, TheirColoursAloneDoNotTellThemApart) {
  const TempDir folder;
  const Drawn drawn = draw("draw_scenes", folder.path().string() + " --train 1200 --test 600");
  const double right = number_in(drawn.out, R"(nearest mean of the bands: ([0-9.]+) %)");
  EXPECT_GT(right, 40) << "guessing gives 17 %";
  EXPECT_LT(right, 70);
}

TEST(DrawHeights, IsASetOfMapsWithHoles) {
  const TempDir folder;
  const Drawn drawn = draw("draw_heights", folder.path().string() + " --train 30 --test 10");
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const Model model = new_model("regressor", {{"bands", "5"}});
  const auto train = open_for(model, folder.path(), "train.npz");
  EXPECT_EQ(train->task(), Task::kRegression);
  const Batch batch = first_samples(*train, 30);
  expect_standard(batch.inputs.at("x"));
  EXPECT_EQ(batch.target.shape(), (Shape{30, 1, 64, 64}));
  double lost = 0, low = 1e9, high = -1e9;
  const std::vector<float> heights = batch.target.to_floats();
  for (const float height : heights) {
    if (std::isnan(height)) {
      ++lost;
    } else {
      low = std::min<double>(low, height), high = std::max<double>(high, height);
    }
  }
  EXPECT_GT(lost / static_cast<double>(heights.size()), 0.01);
  EXPECT_LT(lost / static_cast<double>(heights.size()), 0.15);
  EXPECT_GE(low, 0);
  EXPECT_GT(high, 20);
  EXPECT_LE(high, 40);
}

TEST(DrawHeights, ALinearFitExplainsHalfOfThem) {
  const TempDir folder;
  const Drawn drawn = draw("draw_heights", folder.path().string() + " --train 60 --test 30");
  const double share =
      number_in(drawn.out, R"(an RMSE of ([0-9.]+) m)") / number_in(drawn.out, R"(deviation of ([0-9.]+) m)");
  EXPECT_GT(share, 0.35) << "nothing is left to learn";
  EXPECT_LT(share, 0.85) << "the bands say next to nothing";
}

TEST(SceneData, TheSeedDecides) {
  for (const char* program : {"draw_scenes", "draw_heights"}) {
    const TempDir one, two, three;
    const auto files = [&](const TempDir& folder, const char* seed) {
      EXPECT_EQ(draw(program, folder.path().string() + " --train 12 --test 6 --seed " + seed).code, 0);
      return std::pair{read_file(folder / "train.npz"), read_file(folder / "test.npz")};
    };
    const auto first = files(one, "1");
    EXPECT_EQ(files(two, "1"), first) << program;
    const auto other = files(three, "2");
    EXPECT_NE(other.first, first.first) << program;
    EXPECT_NE(other.second, first.second) << program;
  }
}

TEST(SceneData, SaysHowItIsCalled) {
  const TempDir folder;
  for (const char* program : {"draw_scenes", "draw_heights"}) {
    const std::string usage = std::string("usage: ") + program + " FOLDER";
    for (const std::string& arguments :
         {std::string(), folder.path().string() + " --train none", folder.path().string() + " --tests 3"}) {
      const Drawn drawn = draw(program, arguments);
      EXPECT_EQ(drawn.code, 1) << arguments;
      EXPECT_THAT(drawn.err, ::testing::HasSubstr(usage)) << arguments;
    }
    EXPECT_EQ(draw(program, "/dev/null/no --train 6 --test 6").code, 1);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace pare::testing
