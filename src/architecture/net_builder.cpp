#include "architecture/net_builder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/fail.h"
#include "core/words.h"
#include "pare/version.h"

namespace pare {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr double kMaxPoolGain = 2;  // on the mean square behind a ReLU; 1 for smooth maps, 3 for four free neighbours

/// One side of an image behind a window; 0 stays 0 (open).
std::int64_t side_behind(const std::string& node, std::int64_t side, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding) {
  if (side == 0) return 0;
  const std::int64_t places = (side + 2 * padding - kernel) / stride + 1;
  if (side + 2 * padding < kernel || places < 1)
    fail(ErrorCode::kInvalidArgument,
         "the images are too small: {} pixels are left where {} needs {}\n  remedy: a larger size", side, node,
         kernel - 2 * padding);
  return places;
}

/// E[max(0, x)] = m F(m/s) + s f(m/s) and E[max(0, x)^2] = (m^2 + s^2) F(m/s) + m s f(m/s) for normal x.
NetValue rectified(NetValue x) {
  const double m = x.mean, s = std::sqrt(std::max(1e-30, x.mean_square - m * m)), z = m / s;
  const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  x.mean = m * below + s * density;
  x.mean_square = (m * m + s * s) * below + m * s * density;
  return x;
}

}  // namespace

NetBuilder::NetBuilder(const std::string& graph, std::uint64_t seed) : rng_(seed) {
  model_.producer_name = "pare";
  model_.producer_version = version();
  model_.set_opset(17);
  model_.graph.name = graph;
}

ValueInfo NetBuilder::declared(const std::string& name, const NetValue& x) const {
  const auto side = [](std::int64_t length, const char* symbol) {
    Dim dim;
    if (length > 0)
      dim.value = length;
    else
      dim.symbol = symbol;
    return dim;
  };
  std::vector<Dim> dims = {side(0, "N"), side(x.channels, "")};
  if (!x.flat) dims.insert(dims.end(), {side(x.height, "H"), side(x.width, "W")});
  ValueInfo info;
  info.name = name;
  info.dtype = DType::kFloat32;
  info.shape = std::move(dims);
  return info;
}

NetValue NetBuilder::input(const std::string& name, std::int64_t channels, std::int64_t height, std::int64_t width) {
  const NetValue x = {.name = name, .channels = channels, .height = height, .width = width};
  model_.graph.inputs.push_back(declared(name, x));
  return x;
}

NetValue NetBuilder::flat_input(const std::string& name, std::int64_t channels) {
  const NetValue x = {.name = name, .channels = channels, .flat = true};
  model_.graph.inputs.push_back(declared(name, x));
  return x;
}

NetValue NetBuilder::node(const std::string& op, const std::string& name, std::vector<std::string> inputs, NetValue out,
                          const Attributes& attributes) {
  Node node;
  node.name = name;
  node.op_type = op;
  node.inputs = std::move(inputs);
  node.outputs = {name};
  for (const auto& [attribute, value] : attributes) node.set_attribute(attribute, value);
  model_.graph.nodes.push_back(std::move(node));
  out.name = name;
  return out;
}

void NetBuilder::count(const std::string& name, const Shape& shape) {
  double elements = 1;  // double: a product that does not fit an integer is too large as well
  for (const std::int64_t side : shape) elements *= static_cast<double>(side);
  if (static_cast<double>(parameters_) + elements > static_cast<double>(kMostParameters))
    fail(ErrorCode::kInvalidArgument, "{} {} brings the network above {} parameters\n  remedy: a smaller width or size",
         name, shape_text(shape), with_commas(kMostParameters));
  parameters_ += static_cast<std::int64_t>(elements);
}

std::string NetBuilder::normal(const std::string& name, const Shape& shape, double variance) {
  count(name, shape);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  const double deviation = std::sqrt(variance);
  for (float& value : values) value = static_cast<float>(deviation * rng_.normal());
  model_.graph.initializers.set(name, Tensor::of<float>(shape, values));
  return name;
}

std::string NetBuilder::uniform(const std::string& name, const Shape& shape, double bound) {
  count(name, shape);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng_.uniform(-bound, bound));
  model_.graph.initializers.set(name, Tensor::of<float>(shape, values));
  return name;
}

std::string NetBuilder::constant(const std::string& name, const Shape& shape, double value) {
  const std::vector<float> values(static_cast<std::size_t>(element_count(shape)), static_cast<float>(value));
  model_.graph.initializers.set(name, Tensor::of<float>(shape, values));
  return name;
}

NetValue NetBuilder::conv(const std::string& name, const NetValue& x, const ConvShape& shape) {
  const std::int64_t padding = shape.kernel / 2, area = shape.kernel * shape.kernel;
  const std::int64_t read = x.channels / shape.groups;
  const double variance = 2.0 * static_cast<double>(shape.groups) / static_cast<double>(area * shape.outputs);
  const NetValue out = {.channels = shape.outputs,
                        .height = side_behind(name, x.height, shape.kernel, shape.stride, padding),
                        .width = side_behind(name, x.width, shape.kernel, shape.stride, padding),
                        .mean_square = static_cast<double>(area * read) * variance * x.mean_square};
  const std::string weight = normal(name + ".weight", {shape.outputs, read, shape.kernel, shape.kernel}, variance);
  return node("Conv", name, {x.name, weight}, out,
              {{"dilations", Ints{1, 1}},
               {"group", shape.groups},
               {"kernel_shape", Ints(2, shape.kernel)},
               {"pads", Ints(4, padding)},
               {"strides", Ints(2, shape.stride)}});
}

NetValue NetBuilder::conv_head(const std::string& name, const NetValue& x, std::int64_t outputs) {
  const double bound = 1 / std::sqrt(static_cast<double>(x.channels));
  NetValue out = x;
  out.channels = outputs;
  out.mean = 0;
  out.mean_square = x.mean_square / 3 + bound * bound / 3;
  const std::string weight = uniform(name + ".weight", {outputs, x.channels, 1, 1}, bound);
  const std::string bias = uniform(name + ".bias", {outputs}, bound);
  return node("Conv", name, {x.name, weight, bias}, out,
              {{"dilations", Ints{1, 1}},
               {"group", std::int64_t{1}},
               {"kernel_shape", Ints{1, 1}},
               {"pads", Ints(4, 0)},
               {"strides", Ints{1, 1}}});
}

NetValue NetBuilder::conv_up(const std::string& name, const NetValue& x, std::int64_t outputs) {
  // Windows do not overlap: every output reads each input channel once.
  const double bound = std::sqrt(3 / static_cast<double>(x.channels));
  NetValue out = x;
  out.mean = 0;
  out.channels = outputs;
  out.height = 2 * x.height, out.width = 2 * x.width;
  const std::string weight = uniform(name + ".weight", {x.channels, outputs, 2, 2}, bound);
  const std::string bias = constant(name + ".bias", {outputs}, 0);
  return node("ConvTranspose", name, {x.name, weight, bias}, out,
              {{"dilations", Ints{1, 1}},
               {"group", std::int64_t{1}},
               {"kernel_shape", Ints{2, 2}},
               {"pads", Ints(4, 0)},
               {"strides", Ints{2, 2}}});
}

NetValue NetBuilder::batch_norm(const std::string& name, const NetValue& x) {
  NetValue out = x;
  out.mean = 0;
  out.mean_square = 1;
  const Shape shape = {x.channels};
  const std::string scale = constant(name + ".weight", shape, 1), bias = constant(name + ".bias", shape, 0);
  const std::string mean = constant(name + ".running_mean", shape, 0);
  const std::string variance = constant(name + ".running_var", shape, x.mean_square);
  return node("BatchNormalization", name, {x.name, scale, bias, mean, variance}, out,
              {{"epsilon", 1e-5F}, {"momentum", 0.9F}});
}

NetValue NetBuilder::relu(const std::string& name, const NetValue& x) {
  return node("Relu", name, {x.name}, rectified(x));
}

NetValue NetBuilder::relu6(const std::string& name, const NetValue& x) {
  if (!model_.graph.initializers.contains("relu6.min")) {
    model_.graph.initializers.set("relu6.min", Tensor::scalar(0.0F));
    model_.graph.initializers.set("relu6.max", Tensor::scalar(6.0F));
  }
  return node("Clip", name, {x.name, "relu6.min", "relu6.max"}, rectified(x));
}

NetValue NetBuilder::add(const std::string& name, const NetValue& a, const NetValue& b) {
  NetValue out = a;
  out.mean = a.mean + b.mean;
  out.mean_square = a.mean_square + b.mean_square + 2 * a.mean * b.mean;
  return node("Add", name, {a.name, b.name}, out);
}

NetValue NetBuilder::concat(const std::string& name, const NetValue& a, const NetValue& b) {
  NetValue out = a;
  out.channels = a.channels + b.channels;
  const double share = static_cast<double>(a.channels) / static_cast<double>(out.channels);
  out.mean = share * a.mean + (1 - share) * b.mean;
  out.mean_square = share * a.mean_square + (1 - share) * b.mean_square;
  return node("Concat", name, {a.name, b.name}, out, {{"axis", std::int64_t{1}}});
}

NetValue NetBuilder::max_pool(const std::string& name, const NetValue& x, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t padding = kernel % 2 == 1 ? kernel / 2 : 0;
  NetValue out = x;
  out.height = side_behind(name, x.height, kernel, stride, padding);
  out.width = side_behind(name, x.width, kernel, stride, padding);
  out.mean = x.mean * std::sqrt(kMaxPoolGain);
  out.mean_square = x.mean_square * kMaxPoolGain;
  return node("MaxPool", name, {x.name}, out,
              {{"kernel_shape", Ints(2, kernel)}, {"pads", Ints(4, padding)}, {"strides", Ints(2, stride)}});
}

NetValue NetBuilder::global_average_pool(const std::string& name, const NetValue& x) {
  NetValue out = x;
  out.height = out.width = 1;
  return node("GlobalAveragePool", name, {x.name}, out);
}

NetValue NetBuilder::flatten(const std::string& name, const NetValue& x) {
  if (x.height == 0 || x.width == 0)
    fail(ErrorCode::kInvalidArgument, "{} needs the size of the images\n  remedy: size=32 instead of any", name);
  NetValue out = x;
  out.channels = x.channels * x.height * x.width;
  out.height = out.width = 0;
  out.flat = true;
  return node("Flatten", name, {x.name}, out, {{"axis", std::int64_t{1}}});
}

NetValue NetBuilder::upsample(const std::string& name, const NetValue& x) {
  NetValue out = x;
  out.height = 2 * x.height, out.width = 2 * x.width;
  if (!model_.graph.initializers.contains("upsample.scales"))
    model_.graph.initializers.set("upsample.scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
  return node("Resize", name, {x.name, "", "upsample.scales"}, out,
              {{"coordinate_transformation_mode", std::string("asymmetric")},
               {"mode", std::string("nearest")},
               {"nearest_mode", std::string("floor")}});
}

NetValue NetBuilder::linear(const std::string& name, const NetValue& x, std::int64_t outputs, bool before_relu) {
  const double fan_in = static_cast<double>(x.channels);
  const double bound = before_relu ? std::sqrt(6 / fan_in) : 1 / std::sqrt(fan_in);
  NetValue out = x;
  out.channels = outputs;
  out.mean = 0;
  out.mean_square = fan_in * bound * bound / 3 * x.mean_square + (before_relu ? 0 : bound * bound / 3);
  const std::string weight = uniform(name + ".weight", {outputs, x.channels}, bound);
  const std::string bias =
      before_relu ? constant(name + ".bias", {outputs}, 0) : uniform(name + ".bias", {outputs}, bound);
  return node("Gemm", name, {x.name, weight, bias}, out, {{"transB", std::int64_t{1}}});
}

void NetBuilder::output(const std::string& name, const NetValue& x) {
  for (Node& made : model_.graph.nodes)
    for (std::string& value : made.outputs)
      if (value == x.name) value = name;
  replace_uses(model_.graph, x.name, name);
  model_.graph.outputs.push_back(declared(name, x));
}

Model NetBuilder::finish() { return std::move(model_); }

}  // namespace pare
