// Uses what an outside project would: load from text, rewrite with proof, save.
#include <pare/compress.h>
#include <pare/error.h>
#include <pare/model_io.h>
#include <pare/train.h>
#include <pare/version.h>

#include <iostream>

int main(int count, char** words) {
  try {
    const pare::Model model = pare::model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[N, 4] x) => (float[N, 4] y) { h = Identity(x)
        y = Relu(h) })");
    pare::Context context;
    const pare::CheckedResult result = pare::run_recipe(model, "rewrite", context);
    pare::save_model(result.result.model, count > 1 ? words[1] : "out.onnx");
    std::cout << "pare " << pare::version() << ": " << result.result.model.graph.nodes.size() << " node left\n";
    const pare::TrainingAvailability training = pare::training_available();
    std::cout << (training.available ? "it can train" : training.why) << "\n";
    return 0;
  } catch (const pare::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
