// onnx, GDAL, ONNX Runtime and OpenVINO bring protobufs, TBBs and thread pools of their own; all start in one process,
// in either order, and it ends well. (ctest runs each test in a process of its own.)
#include <dlfcn.h>

#include <thread>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// libpare.so is linked with GDAL where it has it; its C functions are then there without its headers.
void start_gdal() {
  const auto start = reinterpret_cast<void (*)()>(dlsym(RTLD_DEFAULT, "GDALAllRegister"));
  const auto count = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "GDALGetDriverCount"));
  if (start == nullptr || count == nullptr) return;
  start();
  EXPECT_GT(count(), 10);
}

void run_everything(const std::vector<Runtime>& order) {
  // Sparse enough in numbers that any two right runtimes agree to the bit.
  const Model model = model_from_text(R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2, H, W] x) => (float[N, 1, H, W] y)
<float[1, 2, 1, 1] w = {1, -2}, float[1] b = {0.5}> { c = Conv(x, w, b)  y = Relu(c) })");
  check_model(model);
  const Tensor x = Tensor::of<float>({1, 2, 2, 2}, {1, 2, 3, 4, 0.25F, 0.5F, 2, 4});
  std::vector<std::unique_ptr<Session>> sessions;
  for (const Runtime runtime : order)
    if (runtime_available(runtime))
      sessions.push_back(open_session(model, {.runtime = runtime, .threads = 2, .force_float32 = true}));
  start_gdal();
  for (int round = 0; round < 3; ++round)
    for (const auto& session : sessions)
      EXPECT_EQ(session->run({{"x", x}})[0].to_floats(), (std::vector<float>{1, 1.5F, 0, 0})) << session->description();
  check_model(model);
}

TEST(OneProcess, OnnxRuntimeFirst) { run_everything({Runtime::kOnnxRuntime, Runtime::kOpenVino}); }
TEST(OneProcess, OpenVinoFirst) { run_everything({Runtime::kOpenVino, Runtime::kOnnxRuntime}); }
TEST(OneProcess, GdalFirst) {
  start_gdal();
  run_everything({Runtime::kOpenVino, Runtime::kOnnxRuntime});
}

TEST(OneProcess, SessionsOnSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([i] {
      run_everything(i % 2 == 0 ? std::vector{Runtime::kOnnxRuntime, Runtime::kOpenVino}
                                : std::vector{Runtime::kOpenVino, Runtime::kOnnxRuntime});
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace pare::testing
