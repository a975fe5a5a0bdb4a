// Of external_data.h, through the public interface.
#include <sys/resource.h>

#include <csignal>

#include "graph/wire.h"
#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::UnorderedElementsAre;

const std::string kOneTwo("\0\0\x80\x3f\0\0\0\x40", 8);
const SaveOptions kAlwaysExternal{.external_threshold_bytes = 0, .external_tensor_bytes = 100};

/// y = x + w with w in another file.
std::string model_with(std::initializer_list<std::pair<std::string, std::string>> entries) {
  return wire::add_model(wire::tensor("w", 1, {2}, wire::external(entries)));
}
std::vector<float> weight_of(const Model& model) { return model.graph.initializers.find("w")->to_floats(); }

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

/// Two big tensors (one in a Constant node, one in a subgraph), a small one and an int one.
Model large_model() {
  Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    agraph (float[100] x, bool cond) => (float[100] y) <float[1] small = {3}> {
      k = Constant <value = float[1] {1}> ()
      a = Add(x, big)
      b = Add(a, small)
      c = Add(b, k)
      y = If(cond) <
        then_branch = t () => (float[100] p) { p = Add(c, c) },
        else_branch = e () => (float[100] q) { q = Identity(c) }
      >
    })");
  std::vector<float> values(100);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  model.graph.initializers.set("big", Tensor::of<float>({100}, values));
  for (Node& node : model.graph.nodes) {
    if (node.is("Constant")) node.set_attribute("value", Tensor::of<float>({100}, values));
    if (!node.is("If")) continue;
    auto branch = std::make_shared<Graph>(*std::get<std::shared_ptr<const Graph>>(node.attributes[0].value));
    branch->initializers.set("inner", Tensor::of<float>({100}, values));
    branch->nodes[0].inputs[1] = "inner";
    node.attributes[0].value = std::shared_ptr<const Graph>(branch);
  }
  return model;
}

TEST(ExternalData, IsReadWithAndWithoutOffsetAndLength) {
  const TempDir dir;
  write_file(dir / "w.bin", kOneTwo);
  write_file(dir / "sub/w.bin", "12345" + kOneTwo + "rest");
  write_file(dir / "a.onnx", model_with({{"location", "w.bin"}}));
  write_file(dir / "b.onnx", model_with({{"location", "w.bin"}, {"offset", "0"}, {"length", "8"}, {"checksum", "?"}}));
  write_file(dir / "c.onnx", model_with({{"location", "sub/w.bin"}, {"offset", "5"}, {"length", "8"}}));
  write_file(dir / "d.onnx", model_with({{"location", "./sub/w.bin"}, {"offset", "5"}}));
  for (const char* name : {"a.onnx", "b.onnx", "c.onnx", "d.onnx"})
    EXPECT_EQ(weight_of(load_model(dir / name)), (std::vector<float>{1, 2})) << name;
  EXPECT_EQ(size_on_disk(dir / "c.onnx"), static_cast<std::int64_t>(fs::file_size(dir / "c.onnx")) + 17);
}

TEST(ExternalData, CountsWhenThereIsRawDataToo) {
  const TempDir dir;
  write_file(dir / "w.bin", kOneTwo);
  write_file(dir / "m.onnx", wire::add_model(wire::tensor(
                                 "w", 1, {2}, wire::raw("12345678") + wire::external({{"location", "w.bin"}}))));
  EXPECT_EQ(weight_of(load_model(dir / "m.onnx")), (std::vector<float>{1, 2}));
}

TEST(ExternalData, IsFoundBesideTheModelNotBesideTheUser) {
  const TempDir dir;
  write_file(dir / "model/w.bin", kOneTwo);
  write_file(dir / "model/m.onnx", model_with({{"location", "w.bin"}}));
  fs::create_directory(dir / "elsewhere");
  fs::create_directory(dir / "out");
  const fs::path old = fs::current_path();
  fs::current_path(dir / "elsewhere");
  const Model model = load_model("../model/m.onnx");
  save_model(model, "../out/copy.onnx");
  fs::current_path(dir / "model");
  const Model beside = load_model("m.onnx");
  fs::current_path(old);
  EXPECT_EQ(weight_of(beside), (std::vector<float>{1, 2}));
  fs::remove_all(dir / "model");
  EXPECT_EQ(weight_of(load_model(dir / "out/copy.onnx")), (std::vector<float>{1, 2}));
}

TEST(ExternalData, NeverLeavesTheModelsFolder) {
  const TempDir dir;
  write_file(dir / "secret.bin", kOneTwo);
  fs::create_directory(dir / "model");
  const auto refuse = [&](const std::string& location, std::initializer_list<const char*> parts) {
    write_file(dir / "model/m.onnx", model_with({{"location", location}}));
    expect_error([&] { static_cast<void>(load_model(dir / "model/m.onnx")); }, ErrorCode::kMalformedModel, parts);
  };
  refuse("../secret.bin", {"tensor 'w'", "leads out of the model's folder", "remedy"});
  refuse("x/../../secret.bin", {"leads out"});
  refuse("/etc/passwd", {"absolute path"});
  refuse((dir / "secret.bin").string(), {"absolute path"});
  refuse("", {"no file name"});
  refuse("none.bin", {"is missing"});
  refuse(".", {"no regular file"});
  fs::create_symlink("../secret.bin", dir / "model/link.bin");
  refuse("link.bin", {"a link that leads out", "--allow-external-links"});
  fs::create_directory_symlink("..", dir / "model/up");
  refuse("up/secret.bin", {"a link that leads out"});
  EXPECT_EQ(weight_of(load_model(dir / "model/m.onnx", {.allow_external_links = true})), (std::vector<float>{1, 2}));
}

TEST(ExternalData, MayBeALinkInsideTheFolder) {
  const TempDir dir;
  write_file(dir / "blob", kOneTwo);
  fs::create_symlink("blob", dir / "w.bin");
  write_file(dir / "m.onnx", model_with({{"location", "w.bin"}}));
  EXPECT_EQ(weight_of(load_model(dir / "m.onnx")), (std::vector<float>{1, 2}));
}

// Caches of model hubs: both files are links into a folder of blobs with other names.
TEST(ExternalData, OfAHubCacheIsFoundBesideTheLink) {
  const TempDir dir;
  write_file(dir / "blobs/1", model_with({{"location", "m.onnx_data"}}));
  write_file(dir / "blobs/2", kOneTwo);
  fs::create_directory(dir / "snapshot");
  fs::create_symlink("../blobs/1", dir / "snapshot/m.onnx");
  fs::create_symlink("../blobs/2", dir / "snapshot/m.onnx_data");
  expect_error([&] { static_cast<void>(load_model(dir / "snapshot/m.onnx")); }, ErrorCode::kMalformedModel,
               {"allow-external-links"});
  EXPECT_EQ(weight_of(load_model(dir / "snapshot/m.onnx", {.allow_external_links = true})), (std::vector<float>{1, 2}));
}

TEST(ExternalData, IsCheckedAgainstTensorAndFile) {
  const TempDir dir;
  write_file(dir / "w.bin", kOneTwo);
  const auto refuse = [&](std::initializer_list<std::pair<std::string, std::string>> entries,
                          std::initializer_list<const char*> parts) {
    write_file(dir / "m.onnx", model_with(entries));
    expect_error([&] { static_cast<void>(load_model(dir / "m.onnx")); }, ErrorCode::kMalformedModel, parts);
  };
  refuse({{"location", "w.bin"}, {"length", "4"}}, {"tensor 'w'", "8 bytes", "has 4"});
  refuse({{"location", "w.bin"}, {"length", "16"}}, {"has 16"});
  refuse({{"location", "w.bin"}, {"offset", "4"}}, {"beyond the end of 'w.bin'", "8 bytes", "remedy"});
  refuse({{"location", "w.bin"}, {"offset", "9223372036854775807"}}, {"beyond the end"});
  refuse({{"location", "w.bin"}, {"offset", "-4"}}, {"'-4' is no offset"});
  refuse({{"location", "w.bin"}, {"offset", "99999999999999999999"}}, {"is no offset"});
  refuse({{"location", "w.bin"}, {"length", "8x"}}, {"'8x'"});
}

TEST(ExternalData, IsRefusedInAModelFromMemory) {
  const std::string bytes = model_with({{"location", "w.bin"}});
  expect_error([&] { static_cast<void>(parse_model(std::as_bytes(std::span(bytes)))); }, ErrorCode::kMalformedModel,
               {"from memory"});
  const TempDir dir;
  write_file(dir / "w.bin", kOneTwo);
  EXPECT_EQ(weight_of(parse_model(std::as_bytes(std::span(bytes)), dir.path())), (std::vector<float>{1, 2}));
}

TEST(SaveModel, MovesLargeTensorsOutOfALargeModel) {
  const TempDir dir;
  const Model model = large_model();
  check_model(model);
  save_model(model, dir / "m.onnx", kAlwaysExternal);
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("m.onnx", "m.onnx.data"));
  EXPECT_LT(fs::file_size(dir / "m.onnx"), 1200U);
  EXPECT_EQ(fs::file_size(dir / "m.onnx.data"), 448U + 448U + 400U);  // each starts at a multiple of 64
  EXPECT_EQ(size_on_disk(dir / "m.onnx"),
            static_cast<std::int64_t>(fs::file_size(dir / "m.onnx") + fs::file_size(dir / "m.onnx.data")));
  const Model again = load_model(dir / "m.onnx");
  EXPECT_EQ(serialize_model(again), serialize_model(model));
}

TEST(SaveModel, StaysInOneFileBelowTheThreshold) {
  const TempDir dir;
  save_model(large_model(), dir / "m.onnx", {.external_threshold_bytes = 1201, .external_tensor_bytes = 1});
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("m.onnx", "m.onnx.data"));
  save_model(large_model(), dir / "n.onnx", {.external_threshold_bytes = 2000, .external_tensor_bytes = 1});
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("m.onnx", "m.onnx.data", "n.onnx"));
}

TEST(SaveModel, DoesNotGrowWhenItIsRepeatedOverItsOwnInput) {
  const TempDir dir;
  save_model(large_model(), dir / "m.onnx", kAlwaysExternal);
  const std::string model_bytes = read_file(dir / "m.onnx"), data_bytes = read_file(dir / "m.onnx.data");
  for (int i = 0; i < 3; ++i) {
    save_model(load_model(dir / "m.onnx"), dir / "m.onnx", kAlwaysExternal);
    EXPECT_EQ(read_file(dir / "m.onnx"), model_bytes);
    EXPECT_EQ(read_file(dir / "m.onnx.data"), data_bytes);
  }
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("m.onnx", "m.onnx.data"));
}

TEST(SaveModel, LeavesBothOldFilesWhenTheDiskIsFull) {
  const TempDir dir;
  save_model(large_model(), dir / "m.onnx", kAlwaysExternal);
  const std::string model_bytes = read_file(dir / "m.onnx"), data_bytes = read_file(dir / "m.onnx.data");
  Model larger = large_model();
  larger.graph.initializers.set("big", Tensor::zeros(DType::kFloat32, {100000}));
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit limit{20000, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  expect_error([&] { save_model(larger, dir / "m.onnx", kAlwaysExternal); }, ErrorCode::kIo, {"m.onnx.data", "remedy"});
  expect_error([&] { save_model(larger, dir / "m.onnx"); }, ErrorCode::kIo, {"m.onnx", "remedy"});
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(read_file(dir / "m.onnx"), model_bytes);
  EXPECT_EQ(read_file(dir / "m.onnx.data"), data_bytes);
  EXPECT_THAT(names_in(dir.path()), UnorderedElementsAre("m.onnx", "m.onnx.data"));
}

TEST(SaveModel, TellsAMissingFolder) {
  const TempDir dir;
  expect_error([&] { save_model(large_model(), dir / "none/m.onnx"); }, ErrorCode::kIo, {"there is no folder"});
}

}  // namespace
}  // namespace pare::testing
