#include "cli/command.h"

namespace pare::testing {
namespace {

TEST(Verify, PassesOnWhatPareWroteAndFailsOnDamage) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const std::string out = (folder / "out.onnx").string();
  ASSERT_EQ(pare_command(folder, "rewrite " + (folder / "net.onnx").string() + " -o " + out).code, 0);
  CommandResult result = pare_command(folder, "verify " + out);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::HasSubstr("passed"));

  Model model = load_model(out);
  for (const auto& entry : model.graph.initializers)
    if (entry.tensor.rank() == 2) {
      model.graph.initializers.set(entry.name, Tensor::zeros(DType::kFloat32, entry.tensor.shape()));
      break;
    }
  save_model(model, out);
  result = pare_command(folder, "verify " + out);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, ::testing::HasSubstr("FAILED"));
}

TEST(Verify, SaysThatAModelCarriesNoTest) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const CommandResult result = pare_command(folder, "verify " + (folder / "net.onnx").string());
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("no self-test"));
}

}  // namespace
}  // namespace pare::testing
