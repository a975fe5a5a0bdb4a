#include "cli/command.h"
#include "cli/small_data.h"

namespace pare::testing {
namespace {

TEST(Run, RebuildsWhatARecipeSays) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  write_small_data(folder / "data.npz");
  const std::string common = (folder / "net.onnx").string() + " --data " + (folder / "data.npz").string();
  for (const char* name : {"a.onnx", "b.onnx"})
    ASSERT_EQ(pare_command(folder, "run " + common + " --recipe \"rewrite; quantize int8 calibrate=minmax\" -o " +
                                       (folder / name).string())
                  .code,
              0);
  EXPECT_EQ(read_file(folder / "a.onnx"), read_file(folder / "b.onnx"));
}

TEST(Run, MistakesInARecipeShowBeforeAnythingRuns) {
  const TempDir folder;
  const CommandResult result =
      pare_command(folder, "run missing.onnx --recipe \"quantise int8\" -o " + (folder / "x.onnx").string());
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("nearest: 'quantize'"));
}

TEST(StepVerb, TakesTheWordsOfARecipe) {
  const TempDir folder;
  write_small_network(folder / "net.onnx");
  const std::string model = (folder / "net.onnx").string(), out = (folder / "out.onnx").string();
  CommandResult result = pare_command(folder, "convert " + model + " fp16 --keep-io -o " + out);
  EXPECT_EQ(result.code, 0) << result.err;
  result = pare_command(folder, "quantize " + model + " dynamic -o " + out);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(*load_model(out).find_metadata("pare.recipe"), ::testing::HasSubstr("quantize dynamic"));
  result = pare_command(folder, "quantize " + model + " dinamic -o " + out);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("'dynamic'"));
}

TEST(Command, UnknownVerbsAndOptionsGetTheNearest) {
  const TempDir folder;
  CommandResult result = pare_command(folder, "comprese x.onnx");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("nearest: 'compress'"));
  result = pare_command(folder, "bench x.onnx --bach 3");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, ::testing::HasSubstr("'--batch'"));
}

TEST(Command, EveryVerbHasHelpWithAnExample) {
  const TempDir folder;
  EXPECT_THAT(pare_command(folder, "").out, ::testing::HasSubstr("pare compress"));
  for (const char* verb :
       {"compress", "inspect", "eval", "bench", "diff", "verify", "run", "rewrite", "quantize", "convert"}) {
    const CommandResult result = pare_command(folder, std::string(verb) + " --help");
    EXPECT_EQ(result.code, 0) << verb;
    EXPECT_THAT(result.out, ::testing::HasSubstr(std::string("pare ") + verb)) << verb;
  }
}

}  // namespace
}  // namespace pare::testing
