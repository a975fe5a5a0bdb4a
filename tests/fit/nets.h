// nets.h - small networks with random weights, random tensors and matrices for the tests of fitting and pruning.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "fit/matrix.h"
#include "pare/graph.h"
#include "pare/model_io.h"
#include "pare/session.h"

namespace pare::testing {

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, double scale = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(scale * rng.normal());
  return Tensor::of(shape, values);
}

inline Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix m(rows, cols);
  Rng rng(seed);
  for (double& value : m.values) value = rng.normal();
  return m;
}

/// The body of a graph with opset 17 and random initializers, about of unit gain.
inline Model random_net(const std::string& graph, const std::vector<std::pair<std::string, Shape>>& weights,
                        std::uint64_t seed = 1) {
  Model model = model_from_text("<ir_version: 8, opset_import: [\"\": 17]> " + graph);
  for (const auto& [name, shape] : weights) {
    const double inputs = shape.empty() ? 1 : static_cast<double>(element_count(shape)) / static_cast<double>(shape[0]);
    model.graph.initializers.set(name, random_tensor(shape, seed++, shape.size() < 2 ? 0.1 : 1.2 / std::sqrt(inputs)));
  }
  return model;
}

/// y = x + conv(relu(conv(x))), twice, then a classifier: inner channels can go.
inline Model residual_net(std::uint64_t seed = 1) {
  return random_net(R"(g (float[N,3,8,8] x) => (float[N,5] y) {
    s = Conv<pads = [1,1,1,1]>(x, w0, b0)
    s0 = Relu(s)
    a1 = Conv<pads = [1,1,1,1]>(s0, w1, b1)
    r1 = Relu(a1)
    c1 = Conv<pads = [1,1,1,1]>(r1, w2, b2)
    t1 = Add(c1, s0)
    s1 = Relu(t1)
    a2 = Conv<pads = [1,1,1,1]>(s1, w3)
    r2 = Relu(a2)
    c2 = Conv<pads = [1,1,1,1]>(r2, w4)
    t2 = Add(s1, c2)
    s2 = Relu(t2)
    p = GlobalAveragePool(s2)
    f = Flatten(p)
    y = Gemm<transB = 1>(f, w5, b5)
  })",
                    {{"w0", {8, 3, 3, 3}},
                     {"b0", {8}},
                     {"w1", {12, 8, 3, 3}},
                     {"b1", {12}},
                     {"w2", {8, 12, 3, 3}},
                     {"b2", {8}},
                     {"w3", {12, 8, 3, 3}},
                     {"w4", {8, 12, 3, 3}},
                     {"w5", {5, 8}},
                     {"b5", {5}}},
                    seed);
}

}  // namespace pare::testing
