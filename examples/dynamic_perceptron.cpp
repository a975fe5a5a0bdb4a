// The smallest lesson in quantization: a 128-256-10 perceptron with random weights, its dense layers turned to int8
// with scales taken from each input as it comes. Prints float and int8 outputs side by side, and the bytes of both
// files.
//
//   dynamic_perceptron [FOLDER]      writes perceptron.onnx and perceptron_int8.onnx there (default: the current
//   folder)
#include <pare/compress.h>
#include <pare/error.h>
#include <pare/model_io.h>
#include <pare/session.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>

namespace {

/// Normal numbers of deviation `scale`; one generator, so that every run gives the same network.
pare::Tensor random_tensor(std::mt19937& engine, pare::Shape shape, double scale) {
  std::vector<float> values(static_cast<std::size_t>(pare::element_count(shape)));
  for (float& value : values) {
    double sum = -6;  // twelve uniform numbers: close to normal, and the same with every standard library
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine()) / 4294967296.0;
    value = static_cast<float>(scale * sum);
  }
  return pare::Tensor::of<float>(std::move(shape), values);
}

pare::Model perceptron(std::mt19937& engine) {
  pare::Model model = pare::model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    perceptron (float[N, 128] x) => (float[N, 10] logits) <float[1] w1 = {0}, float[1] b1 = {0}, float[1] w2 = {0}, float[1] b2 = {0}> {
      h = Gemm(x, w1, b1)
      r = Relu(h)
      logits = Gemm(r, w2, b2)
    })");
  model.graph.initializers.set("w1", random_tensor(engine, {128, 256}, std::sqrt(2.0 / 128)));
  model.graph.initializers.set("b1", random_tensor(engine, {256}, 0.1));
  model.graph.initializers.set("w2", random_tensor(engine, {256, 10}, std::sqrt(2.0 / 256)));
  model.graph.initializers.set("b2", random_tensor(engine, {10}, 0.1));
  return model;
}

int run(const std::filesystem::path& folder) {
  std::mt19937 engine(1);
  const pare::Model model = perceptron(engine);
  pare::Context context;
  const pare::Model small = pare::run_recipe(model, "quantize dynamic", context).result.model;
  pare::save_model(model, folder / "perceptron.onnx");
  pare::save_model(small, folder / "perceptron_int8.onnx");

  const pare::NamedTensors input = {{"x", random_tensor(engine, {1, 128}, 1)}};
  const std::vector<float> exact = pare::open_session(model)->run(input)[0].to_floats();
  const std::vector<float> rough = pare::open_session(small)->run(input)[0].to_floats();
  std::printf("output     float      int8   difference\n");
  double worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(exact[i]) - rough[i]));
    std::printf("%6zu  %8.4f  %8.4f   %+.4f\n", i, exact[i], rough[i], rough[i] - exact[i]);
  }
  const auto before = pare::size_on_disk(folder / "perceptron.onnx"),
             after = pare::size_on_disk(folder / "perceptron_int8.onnx");
  std::printf("largest difference %.4f\nbytes %lld -> %lld (%.2f of the float file)\n", worst,
              static_cast<long long>(before), static_cast<long long>(after),
              static_cast<double>(after) / static_cast<double>(before));
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run(count > 1 ? words[1] : ".");
  } catch (const pare::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
