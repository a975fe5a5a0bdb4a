// Every real model through all rewrites: proved or declined, never a crash, and a second run finds nothing.
#include <algorithm>
#include <iostream>

#include "pare/model_io.h"
#include "rewrite/rewrites.h"
#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> real_models() {
  std::vector<fs::path> files;
  const fs::path shared = shared_folder();
  if (shared.empty()) return files;
  for (const auto& entry : fs::recursive_directory_iterator(shared / "models"))
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::int64_t count_ops(const Model& model, std::string_view op) {
  return std::count_if(model.graph.nodes.begin(), model.graph.nodes.end(),
                       [&](const Node& node) { return node.is(op); });
}

class RealModel : public ::testing::TestWithParam<fs::path> {};

TEST_P(RealModel, IsRewrittenAndProvedOrDeclined) {
  Model model;
  try {
    model = load_model(GetParam());
  } catch (const Error& error) {
    std::cout << "refused: " << error.what() << '\n';
    EXPECT_NE(error.code(), ErrorCode::kInternal);
    return;
  }
  Context context;
  const CheckedResult checked = prove_rewrites(model, context);
  const StepResult& result = checked.result;
  const std::size_t bytes_before = serialize_model(model).size(), bytes_after = serialize_model(result.model).size();
  std::cout << result.changes << " changes, nodes " << model.graph.nodes.size() << " -> "
            << result.model.graph.nodes.size() << ", bytes " << bytes_before << " -> " << bytes_after << ", opset "
            << model.opset() << " -> " << result.model.opset() << ", " << checked.seconds << " s\n";
  for (const StepCheck& check : checked.checks) std::cout << "  " << check.name << ": " << check.detail << '\n';
  for (std::size_t i = 0; i < std::min<std::size_t>(result.skipped.size(), 6); ++i)
    std::cout << "  skipped " << result.skipped[i].node << ": " << result.skipped[i].reason << '\n';

  EXPECT_LE(bytes_after, bytes_before + 1024);
  EXPECT_LE(result.model.graph.nodes.size(), model.graph.nodes.size() + 8);
  EXPECT_EQ(rewrite_model(result.model, context).changes, 0) << "a second run must find nothing";
  const std::string name = GetParam().stem().string();
  if (name.ends_with("_bn")) {
    EXPECT_GT(count_ops(model, "BatchNormalization"), 0);
    EXPECT_EQ(count_ops(result.model, "BatchNormalization"), 0);
  }
  if (name == "superres_caffe2_tutorial") {
    EXPECT_NO_THROW((void)open_session(result.model)) << "opset 1 is raised to one that the runtime takes";
  }
  if (name.starts_with("cifar10_"))
    for (const StepCheck& check : checked.checks) {
      EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
    }
}

INSTANTIATE_TEST_SUITE_P(Rewrite, RealModel, ::testing::ValuesIn(real_models()), [](const auto& instance) {
  std::string name = instance.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RealModel);

}  // namespace
}  // namespace pare::testing
