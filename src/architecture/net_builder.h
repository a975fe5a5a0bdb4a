// net_builder.h - writes a network node by node with readable names, shapes checked as it grows, weights initialised.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "pare/graph.h"

namespace pare {

/// What a node puts out: [N, channels, height, width], or [N, channels] where both are 0 and `flat`.
struct NetValue {
  std::string name = {};
  std::int64_t channels = 0;
  std::int64_t height = 0, width = 0;  ///< 0: open
  bool flat = false;
  /// Of its elements if the input is standard normal, about: all are taken for normal and independent.
  double mean = 0, mean_square = 1;
};

struct ConvShape {
  std::int64_t outputs = 0;
  std::int64_t kernel = 3, stride = 1, groups = 1;  ///< padding is kernel / 2
};

/// Every method appends one node and returns what it puts out; node, output and weights share the node's name
/// ("layer1.0.conv1", "layer1.0.conv1.weight"). Weights are drawn in the order of the calls. Throws
/// Error(kInvalidArgument) when the network would hold more than kMostParameters, or an image shrinks to nothing.
class NetBuilder {
 public:
  static constexpr std::int64_t kMostParameters = 500'000'000;

  NetBuilder(const std::string& graph, std::uint64_t seed);
  NetValue input(const std::string& name, std::int64_t channels, std::int64_t height, std::int64_t width);
  NetValue flat_input(const std::string& name, std::int64_t channels);

  /// Without bias, for a BatchNormalization to follow: normal of variance 2 / fan-out (groups counted).
  NetValue conv(const std::string& name, const NetValue& x, const ConvShape& shape);
  /// With bias, uniform within 1 / sqrt(fan-in): the last layer of a network that puts out maps.
  NetValue conv_head(const std::string& name, const NetValue& x, std::int64_t outputs);
  /// 2x2 transposed convolution of stride 2 with bias, variance kept.
  NetValue conv_up(const std::string& name, const NetValue& x, std::int64_t outputs);
  NetValue batch_norm(const std::string& name, const NetValue& x);
  NetValue relu(const std::string& name, const NetValue& x);
  NetValue relu6(const std::string& name, const NetValue& x);
  NetValue add(const std::string& name, const NetValue& a, const NetValue& b);
  NetValue concat(const std::string& name, const NetValue& a, const NetValue& b);
  NetValue max_pool(const std::string& name, const NetValue& x, std::int64_t kernel, std::int64_t stride);
  NetValue global_average_pool(const std::string& name, const NetValue& x);
  NetValue flatten(const std::string& name, const NetValue& x);
  /// Nearest neighbour, twice the height and width.
  NetValue upsample(const std::string& name, const NetValue& x);
  /// Uniform within 1 / sqrt(fan-in), or sqrt(6 / fan-in) and no bias to begin with if a ReLU follows.
  NetValue linear(const std::string& name, const NetValue& x, std::int64_t outputs, bool before_relu = false);

  /// Renames what makes `x`'s value: the network's output.
  void output(const std::string& name, const NetValue& x);
  [[nodiscard]] Model finish();

 private:
  using Attributes = std::vector<std::pair<std::string, Attribute::Value>>;
  NetValue node(const std::string& op, const std::string& name, std::vector<std::string> inputs, NetValue out,
                const Attributes& attributes = {});
  void count(const std::string& name, const Shape& shape);
  std::string normal(const std::string& name, const Shape& shape, double variance);
  std::string uniform(const std::string& name, const Shape& shape, double bound);
  std::string constant(const std::string& name, const Shape& shape, double value);
  [[nodiscard]] ValueInfo declared(const std::string& name, const NetValue& x) const;

  Model model_;
  Rng rng_;
  std::int64_t parameters_ = 0;
};

}  // namespace pare
