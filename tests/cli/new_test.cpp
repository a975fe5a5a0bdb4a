#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "pare/dataset.h"

namespace pare::testing {
namespace {

TEST(New, WritesAStudentAndSaysWhatItIs) {
  const TempDir folder;
  const std::string file = (folder / "student.onnx").string();
  const CommandResult result =
      pare_command(folder, "new resnet20 -o " + file + " --classes 10 --bands 4 --size 32 --width 0.5 --seed 1");
  ASSERT_EQ(result.code, 0) << result.err;
  const Model model = load_model(file);
  check_model(model);
  EXPECT_EQ(model.graph.inputs[0].shape->at(1).value, 4);
  for (const char* part : {"student.onnx", "parameters", "MACs", "KB", "resnet20 width=0.5 size=32 bands=4", "[N, 10]"})
    EXPECT_THAT(result.out, ::testing::HasSubstr(part));
  const CommandResult inspected = pare_command(folder, "inspect --channels " + file);
  EXPECT_EQ(inspected.code, 0);
  EXPECT_THAT(inspected.out, ::testing::HasSubstr("channels that can go: 224 in 12 groups"));
}

TEST(New, JsonHoldsTheCount) {
  const TempDir folder;
  const std::string file = (folder / "m.onnx").string();
  const CommandResult result = pare_command(folder, "new mlp -o " + file + " --json -");
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["parameters"], 19210);
  EXPECT_EQ(report["macs"], 64 * 256 + 256 * 10);
  EXPECT_EQ(report["size_bytes"].get<std::uintmax_t>(), std::filesystem::file_size(file));
}

TEST(New, CarriesThePreprocessing) {
  const TempDir folder;
  const std::string file = (folder / "m.onnx").string(), json = (folder / "p.json").string();
  write_file(json, R"({"scale": 0.0001, "mean": [0.1, 0.2], "std": [0.3]})");
  const std::string command = "new resnet8 --bands 2 -o " + file + " --preprocess " + json;
  ASSERT_EQ(pare_command(folder, command).code, 0);
  const Model model = load_model(file);
  ASSERT_NE(model.find_metadata(kPreprocessKey), nullptr);
  EXPECT_EQ(parse_preprocess(*model.find_metadata(kPreprocessKey)).mean, (std::vector<double>{0.1, 0.2}));
  write_file(json, R"({"meen": [0.5]})");
  const CommandResult misspelt = pare_command(folder, command);
  EXPECT_EQ(misspelt.code, 2);
  EXPECT_THAT(misspelt.err, ::testing::HasSubstr("'mean'"));
}

TEST(New, ListsWhatThereIs) {
  const TempDir folder;
  const CommandResult all = pare_command(folder, "new --list");
  ASSERT_EQ(all.code, 0) << all.err;
  for (const char* part : {"resnet20 ", "mobilenet_v2 ", "unet ", "regressor ", "widths=64-256-10", "classes=1000"})
    EXPECT_THAT(all.out, ::testing::HasSubstr(part));
  const CommandResult one = pare_command(folder, "new unet --list");
  EXPECT_EQ(one.code, 0);
  EXPECT_THAT(one.out, ::testing::HasSubstr("depth=4"));
  EXPECT_THAT(one.out, ::testing::Not(::testing::HasSubstr("resnet")));
}

TEST(New, HelpHasAnExample) {
  const TempDir folder;
  const CommandResult result = pare_command(folder, "new --help");
  EXPECT_EQ(result.code, 0);
  for (const char* part : {"Example:\n  pare new resnet20", "--width", "--widths", "mlp: "})
    EXPECT_THAT(result.out, ::testing::HasSubstr(part));
}

TEST(New, WrongUseIsTwoAndWritesNothing) {
  const TempDir folder;
  const std::string file = (folder / "out.onnx").string();
  const std::vector<std::pair<std::string, std::vector<const char*>>> wrong = {
      {"new", {"which architecture?", "--list"}},
      {"new resnet20", {"where does the network go?", "-o resnet20.onnx"}},
      {"new resnet2 -o " + file, {"'resnet2'", "'resnet20'"}},
      {"new resnet20 --widths 3 -o " + file, {"no option 'widths'", "'width'"}},
      {"new resnet20 --clases 3 -o " + file, {"--clases", "'--classes'"}},
      {"new resnet20 --classes ten -o " + file, {"'ten'", "whole number"}},
      {"new unet --size 30 -o " + file, {"halved 4 times", "multiples of 16"}},
      {"new resnet2 --list", {"'resnet20'"}}};
  for (const auto& [arguments, parts] : wrong) {
    const CommandResult result = pare_command(folder, arguments);
    EXPECT_EQ(result.code, 2) << arguments;
    for (const char* part : parts) EXPECT_THAT(result.err, ::testing::HasSubstr(part)) << arguments;
    EXPECT_FALSE(std::filesystem::exists(file)) << arguments;
  }
  const CommandResult nowhere = pare_command(folder, "new mlp -o " + (folder / "no" / "out.onnx").string());
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.err, ::testing::HasSubstr("there is no folder"));
}

}  // namespace
}  // namespace pare::testing
