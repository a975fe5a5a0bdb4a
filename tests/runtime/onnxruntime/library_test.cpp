// How ONNX Runtime is found, and what is said when it is not or when a model is too new for it.
#include "runtime/onnxruntime/find_library.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Says on standard error why the library at `path` is not taken, in this process: for death tests, which run it anew.
[[noreturn]] void exit_with_reason(const char* path) {
  setenv("PARE_ONNXRUNTIME_LIBRARY", path, 1);
  std::string why;
  const bool available = runtime_available(Runtime::kOnnxRuntime, &why);
  std::cerr << why << std::endl;
  _exit(available ? 0 : 7);
}

class OnnxRuntimeLibraryDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(OnnxRuntimeLibraryDeathTest, SaysThatTheFileIsMissing) {
  EXPECT_EXIT(exit_with_reason("/nowhere/libonnxruntime.so"), ::testing::ExitedWithCode(7),
              "cannot be opened: /nowhere/libonnxruntime.so.*\n.*remedy: run scripts/setup");
}

TEST_F(OnnxRuntimeLibraryDeathTest, SaysThatItIsAnotherLibrary) {
  EXPECT_EXIT(exit_with_reason("libm.so.6"), ::testing::ExitedWithCode(7), "libm.so.6 is not ONNX Runtime");
}

TEST(OnnxRuntimeLibrary, EnvironmentComesFirstAndAlone) {
  const char* before = std::getenv("PARE_ONNXRUNTIME_LIBRARY");
  const std::string kept = before == nullptr ? "" : before;
  setenv("PARE_ONNXRUNTIME_LIBRARY", "/mine/libonnxruntime.so", 1);
  EXPECT_THAT(onnxruntime_library_candidates(), ::testing::ElementsAre("/mine/libonnxruntime.so"));
  unsetenv("PARE_ONNXRUNTIME_LIBRARY");
  EXPECT_THAT(onnxruntime_library_candidates(), ::testing::Contains("libonnxruntime.so.1"));
  if (before != nullptr) setenv("PARE_ONNXRUNTIME_LIBRARY", kept.c_str(), 1);
}

constexpr const char* kSmall =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) })";

TEST(OnnxRuntimeLibrary, SaysThatTheFormatIsTooNew) {
  Model model = model_from_text(kSmall);
  model.ir_version = 99;
  expect_error([&] { (void)open_session(model); }, ErrorCode::kUnsupported,
               {"does not load", "IR version", "remedy: lower the model's IR version"});
}

TEST(OnnxRuntimeLibrary, SaysThatTheOpsetIsTooNew) {
  Model model = model_from_text(kSmall);
  model.set_opset(99);
  expect_error([&] { (void)open_session(model); }, ErrorCode::kUnsupported, {"does not load", "remedy: "});
}

TEST(OnnxRuntimeLibrary, PrintsNothing) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x, float[M] z) => (float[K] y) { y = Add(x, z) })");
  const auto session = open_session(model, {.threads = 2});
  EXPECT_THROW(
      (void)session->run({{"x", Tensor::zeros(DType::kFloat32, {2})}, {"z", Tensor::zeros(DType::kFloat32, {3})}}),
      Error);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace pare::testing
