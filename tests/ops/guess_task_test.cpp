#include "ops/guess_task.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

Inspection seen(const std::string& interface, const std::string& body,
                const std::string& weights = "float[1] k = {0}") {
  return inspect_model(model_from_text("<ir_version: 8, opset_import: [\"\" : 13]> g " + interface + " <" + weights +
                                       "> { " + body + " }"));
}
const std::string kImage = "(float[N, 3, 64, 64] x) => (float[] y)";

TEST(GuessTask, TellsClassification) {
  const Inspection soft = seen("(float[N, 10] x) => (float[] y)", "y = Softmax(x)");
  EXPECT_EQ(soft.task, TaskGuess::kClassification);
  EXPECT_EQ(soft.classes, 10);
  EXPECT_EQ(soft.task_text, "classification into 10 classes");
  EXPECT_EQ(soft.task_reason, "the output is [1, 10] and ends in Softmax");
  const Inspection raw = seen("(float[N, 10] x) => (float[] y)", "y = Relu(x)");
  EXPECT_EQ(raw.task, TaskGuess::kClassification);
  EXPECT_THAT(raw.task_reason, ::testing::HasSubstr("may be values"));
  EXPECT_EQ(seen("(float[N, 1] x) => (float[] y)", "y = Sigmoid(x)").classes, 2);
  EXPECT_EQ(seen("(float[N, 7] x) => (int64[] y)", "y = ArgMax <axis = 1> (x)").classes, 7);
  EXPECT_EQ(seen("(float[N, 5, 1, 1] x) => (float[] y)", "y = Softmax <axis = 1> (x)").classes, 5);
}

TEST(GuessTask, TellsSegmentation) {
  EXPECT_EQ(seen("(float[N, 3, 64, 64] x) => (float[] y)", "c = Concat <axis = 1> (x, x) y = Softmax <axis = 1> (c)")
                .task_text,
            "segmentation into 6 classes");
  EXPECT_EQ(seen("(float[N, 64, 64, 3] x) => (float[] y)", "c = Concat <axis = 3> (x, x) y = Softmax(c)").classes, 6);
  EXPECT_EQ(seen("(float[N, 3, 64, 64] x) => (int64[] y)", "y = ArgMax <axis = 1> (x)").task, TaskGuess::kSegmentation);
  EXPECT_EQ(seen(kImage, "m = ReduceMean <axes = [1]> (x) y = Sigmoid(m)").task_text, "segmentation into 2 classes");
}

TEST(GuessTask, TellsRegression) {
  EXPECT_EQ(seen("(float[N, 1] x) => (float[] y)", "y = Relu(x)").task, TaskGuess::kRegression);
  EXPECT_EQ(seen(kImage, "y = Relu(x)").task_text, "regression: a picture of 3 channels");
  EXPECT_EQ(seen(kImage, "y = ReduceMean <axes = [1]> (x)").task_text, "regression: a picture of 1 channel");
  EXPECT_EQ(seen("(float[N, 12, 8, 8] x) => (float[] y)", "y = DepthToSpace <blocksize = 2> (x)").task,
            TaskGuess::kRegression);
}

TEST(GuessTask, TellsDetection) {
  EXPECT_EQ(seen("(float[1, 300, 4] x, float[1, 2, 300] s) => (int64[] y)", "y = NonMaxSuppression(x, s)").task,
            TaskGuess::kDetection);
  EXPECT_EQ(seen("(float[1, 300, 4] x, float[1, 300, 2] s) => (float[] y, float[] z)", "y = Relu(x) z = Relu(s)").task,
            TaskGuess::kDetection);
  EXPECT_EQ(seen("(float[300, 14] x, float[300, 1] s) => (float[] y, float[] z)", "y = Relu(x) z = Relu(s)").task,
            TaskGuess::kDetection);
  EXPECT_EQ(
      seen("(float[1, 400, 80] x, float[1, 100, 80] s) => (float[] y, float[] z)", "y = Relu(x) z = Relu(s)").task,
      TaskGuess::kDetection);
  EXPECT_EQ(
      seen("(float[1, 9, 8, 8] x, float[1, 9, 4, 4] s) => (float[] y, float[] z)", "y = Relu(x) z = Relu(s)").task,
      TaskGuess::kDetection);
}

TEST(GuessTask, SaysWhyItCannotTell) {
  EXPECT_THAT(
      seen("(float[N, 8, 64, 64] x) => (float[] y)", "y = MaxPool <kernel_shape = [16, 16], strides = [16, 16]> (x)")
          .task_reason,
      ::testing::HasSubstr("grid of a detector"));
  EXPECT_THAT(seen("(float[N, 128, 64, 64] x) => (float[] y)", "y = Relu(x)").task_reason,
              ::testing::HasSubstr("features"));
  EXPECT_THAT(seen(kImage, "y = Flatten(x)").task_reason, ::testing::HasSubstr("[1, 12288]"));
  const Inspection unknown = seen("(float[] x) => (float[] y)", "y = Relu(x)");
  EXPECT_EQ(unknown.task, TaskGuess::kUnknown);
  EXPECT_THAT(unknown.task_reason, ::testing::HasSubstr("not known"));
}

}  // namespace
}  // namespace pare::testing
