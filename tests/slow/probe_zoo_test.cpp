// Sizes are found, and the shape of every value, for every real file of the zoo; or the refusal says why not.
#include <map>

#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// Files that ONNX Runtime does not run whatever it is fed, and why.
const std::map<std::string, std::string> kRefused = {
    {"finn_residual_testcase.onnx", "No opset import for domain 'finn.custom_op.fpgadataflow'"},
    {"superres_prepost_op18.onnx", "com.microsoft.extensions:DecodeImage"},
    // An operator set so old that no kernel is left for it.
    {"superres_caffe2_tutorial.onnx", "Could not find an implementation for Add(1)"},
    // Faulty in itself: it joins maps of 200 and of 201 rows. OpenVINO refuses it too.
    {"onnxconv_test0.onnx", "Test/concat_1_concat"},
};

TEST(ProbeZoo, RunsEveryFileOrSaysWhyNot) {
  const auto shared = shared_folder();
  PARE_NEED_SHARED(shared);
  int ran = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models" / "zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string file = entry.path().filename().string();
    SCOPED_TRACE(file);
    const Model model = load_model(entry.path());
    if (const auto reason = kRefused.find(file); reason != kRefused.end()) {
      expect_error([&] { (void)probe_inputs(model); }, ErrorCode::kUnsupported, {reason->second.c_str()});
      ++refused;
      continue;
    }
    try {
      const Trace trace = trace_model(model, probe_inputs(model));
      for (const Node& node : model.graph.nodes)
        for (const std::string& output : node.outputs)
          EXPECT_TRUE(output.empty() || trace.shapes.contains(output)) << output;
      ++ran;
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
  EXPECT_EQ(refused, static_cast<int>(kRefused.size()));
  EXPECT_GE(ran, 41);
}

}  // namespace
}  // namespace pare::testing
