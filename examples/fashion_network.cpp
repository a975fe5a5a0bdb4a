// fashion_network.cpp - makes a small CNN for Fashion-MNIST without training, as an ONNX file that is worth
// compressing.
//
//   fashion_network DATA_FOLDER OUT.onnx [--samples N]
//
// Every convolution's filters are the cluster centres of whitened patches of what the layer before it puts out (Coates
// and Ng, "Learning feature representations with k-means", 2012), its BatchNormalization holds the statistics of the
// data, and the last layer is a ridge regression on the one-hot labels, solved in closed form. The network is grown
// node by node as a pare::Graph, and what has been built so far is run by a pare::Session to find the next layer's
// filters:
//
//   image -> Conv 5x5, 32 -> BN -> Relu -> Conv 3x3 / 2, 64 -> BN -> Relu -> a
//   b = Relu(a + BN(Conv 3x3, 64 (a))),  c = Relu(BN(Conv 3x3, 128 (b)))
//   logits = Gemm(Flatten(Concat(AveragePool(c), AveragePool(b))))
#include <Eigen/Dense>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pare/dataset.h"
#include "pare/error.h"
#include "pare/measure.h"
#include "pare/model_io.h"
#include "pare/session.h"

namespace {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Random = std::mt19937_64;  // its numbers are the same everywhere, those of std's distributions are not

constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kBatch = 500;
constexpr std::int64_t kStatisticsImages = 1000;  // from which filters and BatchNormalization come
constexpr std::int64_t kPatches = 15000;
constexpr int kClusterRounds = 8;
constexpr double kWhitening = 1.0;  // of the mean eigenvalue: how far the small ones are damped, not amplified
constexpr double kRidge = 1e-3;     // of the mean diagonal element

std::int64_t draw(Random& random, std::int64_t bound) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
}

/// `count` random size x size patches of [N, C, H, W] activations, one a row. Patches without contrast say nothing
/// about edges and are passed over (most of an image of Fashion-MNIST is background).
RowMatrix sample_patches(const pare::Tensor& activations, std::int64_t size, std::int64_t count, Random& random) {
  const pare::Shape& shape = activations.shape();
  const std::int64_t channels = shape[1], height = shape[2], width = shape[3];
  const auto data = activations.data<float>();
  RowMatrix patches(count, channels * size * size);
  std::int64_t tries = 0;
  for (std::int64_t row = 0; row < count && tries < 20 * count; ++tries) {
    const std::int64_t image = draw(random, shape[0]);
    const std::int64_t top = draw(random, height - size + 1), left = draw(random, width - size + 1);
    std::int64_t column = 0;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t y = top; y < top + size; ++y)
        for (std::int64_t x = left; x < left + size; ++x)
          patches(row, column++) = data[static_cast<std::size_t>(((image * channels + c) * height + y) * width + x)];
    const auto values = patches.row(row).array();
    if ((values - values.mean()).square().mean() > 1e-6F) ++row;
  }
  return patches;
}

/// The symmetric matrix that makes the patches' covariance (almost) the identity.
Eigen::MatrixXf whitening(const RowMatrix& centred) {
  const Eigen::MatrixXd exact = centred.cast<double>();
  const Eigen::MatrixXd covariance = exact.transpose() * exact / static_cast<double>(exact.rows());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  const Eigen::ArrayXd values = solver.eigenvalues().array().max(0.0);
  const Eigen::VectorXd scale = (values + kWhitening * values.mean()).rsqrt().matrix();
  return (solver.eigenvectors() * scale.asDiagonal() * solver.eigenvectors().transpose()).cast<float>();
}

/// Filters [count, C, size, size] for a convolution over `activations`: spherical k-means on whitened patches; the
/// whitening is folded into the filters.
pare::Tensor learn_filters(const pare::Tensor& activations, std::int64_t size, std::int64_t count, Random& random) {
  RowMatrix patches = sample_patches(activations, size, kPatches, random);
  const Eigen::RowVectorXf mean = patches.cast<double>().colwise().mean().cast<float>();
  patches.rowwise() -= mean;
  const Eigen::MatrixXf whiten = whitening(patches);
  RowMatrix points = patches * whiten;
  points.rowwise().normalize();

  RowMatrix centres(count, points.cols());
  for (std::int64_t i = 0; i < count; ++i) centres.row(i) = points.row(draw(random, points.rows()));
  for (int round = 0; round < kClusterRounds; ++round) {
    const RowMatrix similarity = points * centres.transpose();
    RowMatrix sums = RowMatrix::Zero(count, points.cols());
    for (std::int64_t i = 0; i < points.rows(); ++i) {
      Eigen::Index nearest = 0;
      similarity.row(i).maxCoeff(&nearest);
      sums.row(nearest) += points.row(i);
    }
    for (std::int64_t i = 0; i < count; ++i)
      if (sums.row(i).norm() > 0) centres.row(i) = sums.row(i).normalized();  // an empty cluster keeps its centre
  }
  const RowMatrix filters = centres * whiten;
  return pare::Tensor::of<float>({count, activations.shape()[1], size, size},
                                 {filters.data(), filters.data() + filters.size()});
}

/// A network that grows; what there is of it can be run at any time.
class Network {
 public:
  Network() {
    model_.producer_name = "pare example fashion_network";
    model_.set_opset(17);
    model_.graph.name = "fashion";
    model_.graph.inputs = {value_info("image", {{.symbol = "N"}, {.value = 1}, {.value = 28}, {.value = 28}})};
  }

  [[nodiscard]] pare::Model& model() { return model_; }
  [[nodiscard]] const std::vector<pare::ValueInfo>& inputs() const { return model_.graph.inputs; }

  /// Appends a node; its output has its name.
  std::string add(const std::string& op, const std::string& name, std::vector<std::string> inputs,
                  const std::vector<std::pair<std::string, pare::Attribute::Value>>& attributes = {}) {
    pare::Node node{.name = name, .op_type = op, .inputs = std::move(inputs), .outputs = {name}};
    for (const auto& [attribute, value] : attributes) node.set_attribute(attribute, value);
    model_.graph.nodes.push_back(std::move(node));
    return name;
  }

  std::string weight(const std::string& name, pare::Tensor tensor) {
    model_.graph.initializers.set(name, std::move(tensor));
    return name;
  }

  /// A session that puts `value` out.
  [[nodiscard]] std::unique_ptr<pare::Session> open(const std::string& value) const {
    pare::Model partial = model_;
    partial.graph.outputs = {{.name = value, .dtype = pare::DType::kFloat32}};
    return pare::open_session(partial,
                              {.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))});
  }

  void finish(const std::string& output) {
    model_.graph.outputs = {value_info(output, {{.symbol = "N"}, {.value = kClasses}})};
  }

 private:
  static pare::ValueInfo value_info(const std::string& name, std::vector<pare::Dim> shape) {
    return {.name = name, .dtype = pare::DType::kFloat32, .shape = std::move(shape)};
  }
  pare::Model model_;
};

/// Conv with learned filters, then BatchNormalization with the statistics of what the Conv puts out for `images`.
std::string add_convolution(Network& network, const std::string& name, const std::string& input, std::int64_t size,
                            std::int64_t channels, std::int64_t stride, const pare::Tensor& images, Random& random) {
  using Ints = std::vector<std::int64_t>;
  // The image itself is what the first convolution reads; no node puts it out.
  const pare::Tensor activations = input == "image" ? images : network.open(input)->run({{"image", images}}).front();
  const std::string filters = network.weight(name + ".weight", learn_filters(activations, size, channels, random));
  const std::string conv =
      network.add("Conv", name, {input, filters},
                  {{"kernel_shape", Ints{size, size}}, {"pads", Ints(4, size / 2)}, {"strides", Ints{stride, stride}}});

  const pare::Tensor responses = network.open(conv)->run({{"image", images}}).front();
  const pare::Shape& shape = responses.shape();
  const std::int64_t area = shape[2] * shape[3];
  const auto data = responses.data<float>();
  std::vector<float> means, variances;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    double sum = 0, squares = 0;
    for (std::int64_t image = 0; image < shape[0]; ++image)
      for (const float value :
           data.subspan(static_cast<std::size_t>((image * channels + channel) * area), static_cast<std::size_t>(area)))
        sum += value, squares += static_cast<double>(value) * value;
    const double count = static_cast<double>(shape[0] * area);
    means.push_back(static_cast<float>(sum / count));
    variances.push_back(static_cast<float>(squares / count - sum / count * (sum / count)));
  }
  const auto vector = [&](const char* what, const std::vector<float>& values) {
    return network.weight(name + ".norm." + what, pare::Tensor::of<float>({channels}, values));
  };
  const auto size_of = static_cast<std::size_t>(channels);
  return network.add("BatchNormalization", name + ".norm",
                     {conv, vector("scale", std::vector<float>(size_of, 1)),
                      vector("bias", std::vector<float>(size_of)), vector("mean", means), vector("var", variances)});
}

/// Everything but the last layer; returns the name of the features.
std::string add_feature_layers(Network& network, const pare::Tensor& images, Random& random) {
  using Ints = std::vector<std::int64_t>;
  const std::vector<std::pair<std::string, pare::Attribute::Value>> pool = {
      {"kernel_shape", Ints{4, 4}}, {"strides", Ints{4, 4}}, {"pads", Ints{1, 1, 1, 1}}};
  const std::string edges =
      network.add("Relu", "relu1", {add_convolution(network, "conv1", "image", 5, 32, 1, images, random)});
  const std::string a =
      network.add("Relu", "relu2", {add_convolution(network, "conv2", edges, 3, 64, 2, images, random)});
  const std::string branch = add_convolution(network, "conv3", a, 3, 64, 1, images, random);
  const std::string b = network.add("Relu", "relu3", {network.add("Add", "add3", {a, branch})});
  const std::string c = network.add("Relu", "relu4", {add_convolution(network, "conv4", b, 3, 128, 1, images, random)});
  const std::string pooled_c = network.add("AveragePool", "pool4", {c}, pool);
  const std::string pooled_b = network.add("AveragePool", "pool3", {b}, pool);
  return network.add("Flatten", "features",
                     {network.add("Concat", "concat", {pooled_c, pooled_b}, {{"axis", std::int64_t{1}}})});
}

/// Ridge regression from the features of `data` to its one-hot labels, in double, over a stream of batches: only
/// X^T X and X^T Y are kept.
void add_classifier(Network& network, const std::string& features, const pare::Dataset& data) {
  const auto session = network.open(features);
  pare::BatchReader reader(data, kBatch);
  Eigen::MatrixXd gram, products;
  Eigen::VectorXd sum;
  Eigen::VectorXd label_sum = Eigen::VectorXd::Zero(kClasses);
  while (const auto batch = reader.next()) {
    const pare::Tensor result = session->run(batch->inputs).front();
    const std::int64_t width = result.shape()[1];
    const Eigen::MatrixXd x =
        Eigen::Map<const RowMatrix>(result.data<float>().data(), batch->size, width).cast<double>();
    Eigen::MatrixXd y = Eigen::MatrixXd::Zero(batch->size, kClasses);
    for (std::int64_t i = 0; i < batch->size; ++i) y(i, batch->labels[static_cast<std::size_t>(i)]) = 1;
    if (gram.size() == 0) {
      gram = Eigen::MatrixXd::Zero(width, width);
      products = Eigen::MatrixXd::Zero(width, kClasses);
      sum = Eigen::VectorXd::Zero(width);
    }
    gram.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose());
    products.noalias() += x.transpose() * y;
    sum += x.colwise().sum().transpose();
    label_sum += y.colwise().sum().transpose();
  }
  // Centre both sides; the means come back as the bias.
  const auto count = static_cast<double>(data.size());
  gram.selfadjointView<Eigen::Lower>().rankUpdate(sum, -1 / count);
  products -= sum * label_sum.transpose() / count;
  gram.diagonal().array() += kRidge * gram.diagonal().mean();
  const Eigen::LLT<Eigen::MatrixXd> solver(gram);
  if (solver.info() != Eigen::Success)
    throw pare::Error(pare::ErrorCode::kNumeric, "the normal equations are singular");
  // One-hot targets give outputs of about 0 to 1; ten times that is what a softmax would make confident answers of.
  constexpr double kLogitScale = 10;
  const Eigen::MatrixXd weights = kLogitScale * solver.solve(products);  // [features, classes], column-major
  const Eigen::VectorXd bias = (kLogitScale * label_sum - weights.transpose() * sum) / count;

  const Eigen::MatrixXf w = weights.cast<float>();
  const Eigen::VectorXf b = bias.cast<float>();
  network.add(
      "Gemm", "logits",
      {features,
       network.weight("logits.weight", pare::Tensor::of<float>({kClasses, w.rows()}, {w.data(), w.data() + w.size()})),
       network.weight("logits.bias", pare::Tensor::of<float>({kClasses}, {b.data(), b.data() + b.size()}))},
      {{"transB", std::int64_t{1}}});
  network.finish("logits");
}

struct Arguments {
  std::string data, output;
  std::int64_t samples = 0;  // 0: all
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool limited = words.size() == 4 && words[2] == "--samples";
  if (limited) std::from_chars(words[3].data(), words[3].data() + words[3].size(), arguments.samples);
  if ((words.size() != 2 && !limited) || (limited && arguments.samples < kClasses))
    throw pare::Error(pare::ErrorCode::kInvalidArgument,
                      "usage: fashion_network DATA_FOLDER OUT.onnx [--samples N]  (N training and test images, 10 or "
                      "more; default all)");
  arguments.data = words[0];
  arguments.output = words[1];
  return arguments;
}

void make_network(const Arguments& arguments) {
  Network network;
  const pare::Preprocess preprocess{.channels = "gray", .scale = 1.0 / 255};
  const auto open = [&](const std::string& file) {
    return pare::open_dataset(arguments.data + "/" + file,
                              {.preprocess = preprocess, .inputs = network.inputs(), .limit = arguments.samples});
  };
  const auto train = open("train-images-idx3-ubyte.gz");
  const auto test = open("t10k-images-idx3-ubyte.gz");

  Random random(20);
  std::vector<std::int64_t> first(static_cast<std::size_t>(std::min(kStatisticsImages, train->size())));
  std::iota(first.begin(), first.end(), 0);
  const std::string features = add_feature_layers(network, train->batch(first).inputs.at("image"), random);
  std::printf("convolutions made from %zu images\n", first.size());
  add_classifier(network, features, *train);
  std::printf("last layer solved on %lld images\n", static_cast<long long>(train->size()));

  network.model().set_metadata(pare::kPreprocessKey, pare::preprocess_to_json(preprocess));
  pare::check_model(network.model());
  const pare::Evaluation result = pare::evaluate(*network.open("logits"), *test, {.batch_size = kBatch});
  pare::save_model(network.model(), arguments.output);
  std::printf("%s: top-1 %.2f %% (%.2f to %.2f) on %lld test images\n", arguments.output.c_str(), 100 * result.value,
              100 * result.interval.low, 100 * result.interval.high, static_cast<long long>(result.samples));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    make_network(parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
