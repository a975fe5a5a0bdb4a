// Wrong input of many kinds: one clear error with the remedy, exit code 1 or 2, nothing written, the input untouched.
#include <csignal>
#include <fstream>
#include <limits>
#include <thread>

#include "cli/command.h"
#include "cli/small_data.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    write_small_network(folder_ / "net.onnx");
    write_small_data(folder_ / "data.npz");
  }

  /// Runs `pare quantize` on a model and a data path and expects a refusal that says all of `parts`.
  void refuses(const std::string& model, const std::string& data, std::initializer_list<const char*> parts) {
    refuses_command("quantize " + (folder_ / model).string() + " -o " + (folder_ / "out.onnx").string() + " --data " +
                        (folder_ / data).string(),
                    parts);
  }
  void refuses_command(const std::string& arguments, std::initializer_list<const char*> parts) {
    const auto before = listing();
    const CommandResult result = pare_command(scratch_, arguments);
    EXPECT_TRUE(result.code == 1 || result.code == 2) << "exit code " << result.code << "\n"
                                                      << result.out << result.err;
    EXPECT_THAT(result.err, ::testing::HasSubstr("error: "));
    for (const char* part : parts) EXPECT_THAT(result.err, ::testing::HasSubstr(part));
    EXPECT_EQ(listing(), before) << "something was written or changed";
  }
  std::map<std::string, std::string> listing() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
    return files;
  }
  void change_model(const std::function<void(Model&)>& change) {
    Model model = load_model(folder_ / "net.onnx");
    change(model);
    save_model(model, folder_ / "bad.onnx");
  }

  TempDir folder_, scratch_;
};

TEST_F(BadInput, MissingModel) { refuses("none.onnx", "data.npz", {"none.onnx", "no such file"}); }

TEST_F(BadInput, AFolderForAModel) {
  fs::create_directory(folder_ / "folder");
  refuses("folder", "data.npz", {"it is a folder"});
}

TEST_F(BadInput, NotOnnx) {
  write_file(folder_ / "zip.onnx", "PK\x03\x04 something");
  refuses("zip.onnx", "data.npz", {"zip archive", "remedy"});
}

TEST_F(BadInput, TruncatedModel) {
  const std::string whole = read_file(folder_ / "net.onnx");
  write_file(folder_ / "cut.onnx", whole.substr(0, whole.size() / 2));
  refuses("cut.onnx", "data.npz", {"cut.onnx", "remedy"});
}

TEST_F(BadInput, EmptyModel) {
  write_file(folder_ / "empty.onnx", "");
  refuses("empty.onnx", "data.npz", {"empty file"});
}

TEST_F(BadInput, MissingData) { refuses("net.onnx", "nowhere", {"nowhere"}); }

TEST_F(BadInput, EmptyDataFolder) {
  fs::create_directory(folder_ / "nothing");
  refuses("net.onnx", "nothing", {"nothing"});
}

TEST_F(BadInput, DataOfAnUnknownKind) {
  write_file(folder_ / "data.csv", "1,2,3\n");
  refuses("net.onnx", "data.csv", {"data.csv"});
}

TEST_F(BadInput, NoDataAtAll) {
  refuses_command("quantize " + (folder_ / "net.onnx").string() + " -o " + (folder_ / "out.onnx").string(), {"data"});
}

TEST_F(BadInput, ImagesWithOtherChannels) {
  write_small_data(folder_ / "five.npz", 8, 5);
  refuses("net.onnx", "five.npz", {"[N, 3, 8, 8]", "remedy"});
}

TEST_F(BadInput, MoreClassesThanOutputs) {
  std::vector<float> x(4 * 3 * 64, 0.5F);
  const std::vector<std::int64_t> y = {0, 1, 2, 3};
  write_file(folder_ / "four.npz", zip_text({{"x.npy", npy_text("<f4", "(4, 3, 8, 8)", x.data(), 4 * x.size())},
                                             {"y.npy", npy_text("<i8", "(4,)", y.data(), 32)}}));
  refuses_command("eval " + (folder_ / "net.onnx").string() + " --data " + (folder_ / "four.npz").string(),
                  {"2 classes", "remedy"});
}

TEST_F(BadInput, ChannelsLastForChannelsFirst) {
  std::vector<float> x(4 * 8 * 8 * 3, 0.5F);
  write_file(folder_ / "nhwc.npz", zip_text({{"x.npy", npy_text("<f4", "(4, 8, 8, 3)", x.data(), 4 * x.size())}}));
  // Either read rightly as channels last, or refused: never taken as 8 channels of 8 x 3.
  const CommandResult result =
      pare_command(scratch_, "quantize " + (folder_ / "net.onnx").string() + " -o " + (folder_ / "out.onnx").string() +
                                 " --data " + (folder_ / "nhwc.npz").string());
  if (result.code != 0) {
    EXPECT_THAT(result.err, ::testing::HasSubstr("error: "));
    EXPECT_FALSE(fs::exists(folder_ / "out.onnx"));
  }
}

TEST_F(BadInput, NanInWeights) {
  change_model([](Model& model) {
    std::vector<float> w = model.graph.initializers.find("w")->to_floats();
    w[0] = std::numeric_limits<float>::quiet_NaN();
    model.graph.initializers.set("w", Tensor::of<float>({4, 3, 1, 1}, w));
  });
  refuses("bad.onnx", "data.npz", {});
}

TEST_F(BadInput, NanInData) {
  std::vector<float> x(4 * 3 * 64, std::numeric_limits<float>::quiet_NaN());
  write_file(folder_ / "nan.npz", zip_text({{"x.npy", npy_text("<f4", "(4, 3, 8, 8)", x.data(), 4 * x.size())}}));
  refuses("net.onnx", "nan.npz", {});
}

TEST_F(BadInput, ZeroSizedWeights) {
  change_model([](Model& model) { model.graph.initializers.set("w", Tensor::zeros(DType::kFloat32, {4, 0, 1, 1})); });
  refuses("bad.onnx", "data.npz", {"Conv"});
}

TEST_F(BadInput, CyclicGraph) {
  // Saved by hand: c reads what comes of it.
  change_model([](Model& model) { model.graph.nodes[0].inputs[0] = "r"; });
  refuses("bad.onnx", "data.npz", {"cycle"});
}

TEST_F(BadInput, DanglingInput) {
  change_model([](Model& model) { model.graph.nodes[2].inputs[0] = "nn"; });
  refuses("bad.onnx", "data.npz", {"'nn'"});
}

TEST_F(BadInput, OpsetFromTheFuture) {
  change_model([](Model& model) { model.set_opset(999); });
  refuses("bad.onnx", "data.npz", {"opset"});
}

TEST_F(BadInput, ExternalDataThatIsNotThere) {
  save_model(load_model(folder_ / "net.onnx"), folder_ / "far.onnx",
             {.external_threshold_bytes = 0, .external_tensor_bytes = 1});
  fs::remove(folder_ / "far.onnx.data");
  refuses("far.onnx", "data.npz", {"external data", "is missing"});
}

TEST_F(BadInput, OutputFolderThatIsNotThere) {
  refuses_command("rewrite " + (folder_ / "net.onnx").string() + " -o " + (folder_ / "no" / "out.onnx").string(),
                  {"there is no folder", "remedy"});
}

TEST_F(BadInput, OutputThatIsTheInput) {
  refuses_command("rewrite " + (folder_ / "net.onnx").string() + " -o " + (folder_ / "net.onnx").string(),
                  {"is the input itself"});
}

TEST_F(BadInput, FullDisk) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  refuses_command("rewrite " + (folder_ / "net.onnx").string() + " -o /dev/full", {"/dev/full", "remedy"});
}

TEST_F(BadInput, UnknownNodeToExclude) {
  refuses_command("quantize " + (folder_ / "net.onnx").string() + " --exclude Convv --data " +
                      (folder_ / "data.npz").string() + " -o " + (folder_ / "out.onnx").string(),
                  {"Convv", "nearest"});
}

TEST_F(BadInput, MisspeltPreprocessing) {
  write_file(folder_ / "p.json", R"({"meen": [0.5]})");
  refuses_command("quantize " + (folder_ / "net.onnx").string() + " --preprocess " + (folder_ / "p.json").string() +
                      " --data " + (folder_ / "data.npz").string() + " -o " + (folder_ / "out.onnx").string(),
                  {"meen", "'mean'"});
}

TEST_F(BadInput, CtrlCLeavesNothing) {
  const auto before = listing();
  // SIGINT two seconds in, while candidates are timed.
  const std::string err = (scratch_ / "err.txt").string();
  const std::string line = std::string(PARE_BINARY_DIR) + "/pare compress " + (folder_ / "net.onnx").string() + " -o " +
                           (folder_ / "out.onnx").string() + " --time 30 --data " + (folder_ / "data.npz").string() +
                           " >" + err + " 2>&1 & pid=$!; sleep 2; kill -INT $pid; wait $pid";
  const int status = std::system(line.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(read_file(err), ::testing::HasSubstr("interrupted: no result was written"));
  EXPECT_EQ(listing(), before);
}

}  // namespace
}  // namespace pare::testing
