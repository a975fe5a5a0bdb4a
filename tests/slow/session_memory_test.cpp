// A session that is fed another shape at every run holds no more than its largest run needs.
#include <fstream>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

double resident_mb() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

TEST(SessionMemory, StaysBoundedWhenShapesVary) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto path = shared / "models" / "zoo" / "yunet_n_dynamic.onnx";
  const auto session = open_session(path);
  const double before = resident_mb();
  std::vector<double> after;
  for (int round = 0; round < 4; ++round) {
    for (std::int64_t size = 64; size <= 960; size += 32)
      (void)session->run(random_inputs(session->inputs(), {.image_size = size}));
    after.push_back(resident_mb());
  }
  EXPECT_GT(before, 0);
  // The second round still finds new places for blocks; from then on nothing may be added.
  EXPECT_LT(after[3], after[1] * 1.05) << "after each round: " << ::testing::PrintToString(after);
  EXPECT_LT(after[3], before + 200);
}

TEST(SessionMemory, OpeningAndClosingSessionsLeavesNothing) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  const auto path = shared / "models" / "cifar10_resnet20.onnx";
  for (const Runtime runtime : {Runtime::kOnnxRuntime, Runtime::kOpenVino}) {
    if (!runtime_available(runtime)) continue;
    const auto open_often = [&](int times) {
      for (int i = 0; i < times; ++i) {
        const auto session = open_session(path, {.runtime = runtime});
        (void)session->run(random_inputs(session->inputs()));
      }
      return resident_mb();
    };
    const double warm = open_often(15);
    EXPECT_LT(open_often(30), warm + 20) << runtime_name(runtime);
  }
}

}  // namespace
}  // namespace pare::testing
