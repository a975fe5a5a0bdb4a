// The step `prune` on real networks of many exporters: pruned and proved, or refused with a reason, never wrong.
#include <filesystem>
#include <map>

#include "core/words.h"
#include "pare/compress.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

constexpr std::uintmax_t kLargest = 600'000;

TEST(PruneZoo, PrunesAndProvesNineOfTenNetworks) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  std::map<std::string, std::string> refused;
  std::int64_t files = 0, pruned = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    if (std::filesystem::file_size(entry.path()) > kLargest) continue;  // bench/compatibility.py takes all
    ++files;
    const std::string name = entry.path().filename().string();
    Context context;
    context.session.threads = 2;
    try {
      const Model model = load_model(entry.path());
      const CheckedResult result = run_recipe(model, "rewrite; prune channels=50%", context);
      if (result.result.figures.contains("prune.removed_channels"))
        ++pruned;
      else
        refused[name] = join(result.result.notes, "; ");
    } catch (const Error& error) {
      EXPECT_NE(static_cast<int>(error.code()), static_cast<int>(ErrorCode::kInternal)) << name << ": " << error.what();
      refused[name] = error.what();
    }
  }
  for (const auto& [name, reason] : refused) RecordProperty(name, reason);
  EXPECT_GE(10 * pruned, 9 * files) << ::testing::PrintToString(refused);
}

}  // namespace
}  // namespace pare::testing
