#include "graph/small_values.h"

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// The value of y in a graph of small computations over x: float[5, 4, 6] and the given weights.
Tensor value_of(const std::string& body, const std::string& weights = "int64[1] unused = {0}", int opset = 13) {
  const Model model = model_from_text("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                                      "]> g (float[5, 4, 6] x) => (float[] y) <" + weights + "> {" + body + "}");
  std::unordered_map<std::string, Tensor> values;
  for (const auto& entry : model.graph.initializers) values[entry.name] = entry.tensor;
  for (const Node& node : model.graph.nodes) {
    if (node.is("Constant")) {
      values[node.output(0)] = model.graph.constant(node.output(0));
      continue;
    }
    std::vector<Tensor> inputs;
    for (const std::string& input : node.inputs) inputs.push_back(values[input]);
    values[node.output(0)] = small_value(node, inputs, [&](std::size_t index) -> std::optional<Shape> {
      if (node.input(index) == "x") return Shape{5, 4, 6};
      return values[node.input(index)].empty() ? std::nullopt : std::optional(values[node.input(index)].shape());
    });
  }
  return values["y"];
}

using Numbers = std::vector<std::int64_t>;

TEST(SmallValue, ReadsShapes) {
  EXPECT_EQ(value_of("y = Shape(x)").to_int64s(), (Numbers{5, 4, 6}));
  EXPECT_EQ(value_of("y = Shape <start = 1, end = -1> (x)", "int64[1] u = {0}", 15).to_int64s(), Numbers{4});
  EXPECT_EQ(value_of("y = Size(x)").to_int64s(), Numbers{120});
  EXPECT_EQ(value_of("y = Size(x)").shape(), Shape{});
}

TEST(SmallValue, GathersSlicesAndJoins) {
  EXPECT_EQ(value_of("s = Shape(x) y = Gather(s, i)", "int64[2] i = {-1, 0}").to_int64s(), (Numbers{6, 5}));
  EXPECT_EQ(value_of("s = Shape(x) y = Gather(s, i)", "int64 i = {1}").shape(), Shape{});
  EXPECT_EQ(
      value_of("y = Gather <axis = 1> (m, i)", "int64[2, 3] m = {1, 2, 3, 4, 5, 6}, int64[1] i = {2}").to_int64s(),
      (Numbers{3, 6}));
  EXPECT_EQ(
      value_of("s = Shape(x) y = Slice(s, a, b)", "int64[1] a = {1}, int64[1] b = {9223372036854775807}").to_int64s(),
      (Numbers{4, 6}));
  EXPECT_EQ(value_of("s = Shape(x) y = Slice <starts = [-2], ends = [-1]> (s)", "int64[1] u = {0}", 9).to_int64s(),
            Numbers{4});
  EXPECT_EQ(value_of("s = Shape(x) y = Slice(s, a, b, c, d)",
                     "int64[1] a = {-1}, int64[1] b = {-9223372036854775807}, int64[1] c = {0}, int64[1] d = {-1}")
                .to_int64s(),
            (Numbers{6, 4, 5}));
  EXPECT_EQ(value_of("s = Shape(x) y = Concat <axis = 0> (s, i, s)", "int64[1] i = {9}").to_int64s(),
            (Numbers{5, 4, 6, 9, 5, 4, 6}));
  EXPECT_EQ(value_of("y = Concat <axis = -1> (m, m)", "int64[2, 1] m = {1, 2}").to_int64s(), (Numbers{1, 1, 2, 2}));
}

TEST(SmallValue, ComputesAsIntegersAndAsFloats) {
  EXPECT_EQ(value_of("s = Shape(x) y = Div(s, i)", "int64[1] i = {4}").to_int64s(), (Numbers{1, 1, 1}));
  EXPECT_EQ(value_of("y = Div(a, b)", "int64[1] a = {-7}, int64[1] b = {2}").to_int64s(), Numbers{-3});
  EXPECT_EQ(value_of("y = Mod(a, b)", "int64[1] a = {-7}, int64[1] b = {3}").to_int64s(), Numbers{2});
  EXPECT_EQ(value_of("s = Shape(x) f = Cast <to = 1> (s) y = Mul(f, h)", "float h = {0.5}").to_floats(),
            (std::vector<float>{2.5F, 2, 3}));
  EXPECT_EQ(value_of("f = Floor(a) y = Cast <to = 7> (f)", "float[2] a = {2.9, -2.1}").to_int64s(), (Numbers{2, -3}));
  EXPECT_EQ(value_of("y = Cast <to = 7> (a)", "float[2] a = {2.9, -2.9}").to_int64s(), (Numbers{2, -2}));
  EXPECT_EQ(value_of("y = Sub(a, b)", "int64[2, 1] a = {10, 20}, int64[2] b = {1, 2}").to_int64s(),
            (Numbers{9, 8, 19, 18}));
  EXPECT_TRUE(value_of("y = Div(a, b)", "int64[1] a = {1}, int64[1] b = {0}").empty());
}

TEST(SmallValue, ReshapesAndTurns) {
  EXPECT_EQ(value_of("y = Reshape(m, s)", "int64[4] m = {1, 2, 3, 4}, int64[2] s = {2, -1}").shape(), (Shape{2, 2}));
  EXPECT_EQ(value_of("y = Transpose(m)", "int64[2, 3] m = {1, 2, 3, 4, 5, 6}").to_int64s(),
            (Numbers{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(value_of("y = Unsqueeze(m, a)", "int64[2] m = {1, 2}, int64[2] a = {0, -1}").shape(), (Shape{1, 2, 1}));
  EXPECT_EQ(value_of("y = Unsqueeze <axes = [1]> (m)", "int64[2] m = {1, 2}", 11).shape(), (Shape{2, 1}));
  EXPECT_EQ(value_of("y = Squeeze(m)", "int64[1, 2, 1] m = {1, 2}").shape(), Shape{2});
  EXPECT_EQ(value_of("y = Squeeze(m, a)", "int64[1, 2, 1] m = {1, 2}, int64[1] a = {-1}").shape(), (Shape{1, 2}));
  EXPECT_EQ(value_of("y = Expand(m, s)", "int64[1] m = {7}, int64[1] s = {3}").to_int64s(), (Numbers{7, 7, 7}));
}

TEST(SmallValue, FollowsWhatTorchExportsForPads) {
  // F.pad([..]) of torch: the pads are assembled, turned into rows of two, reversed, transposed and flattened.
  const Tensor pads = value_of(R"(
      z = ConstantOfShape <value = int64[1] {0}> (four)
      c = Concat <axis = 0> (given, z)
      r = Reshape(c, two)
      s = Slice(r, minus, low, zero, minus)
      t = Transpose <perm = [1, 0]> (s)
      f = Reshape(t, minus)
      y = Cast <to = 7> (f))",
                               "int64[1] four = {4}, int64[4] given = {1, 2, 3, 4}, int64[2] two = {-1, 2}, "
                               "int64[1] minus = {-1}, int64[1] low = {-9223372036854775807}, int64[1] zero = {0}");
  EXPECT_EQ(pads.to_int64s(), (Numbers{0, 0, 3, 1, 0, 0, 4, 2}));
}

TEST(SmallValue, ChoosesAndCounts) {
  EXPECT_EQ(
      value_of("e = Equal(s, m) y = Where(e, o, s)", "int64[3] s = {2, -1, 3}, int64 m = {-1}, int64[3] o = {1, 1, 1}")
          .to_int64s(),
      (Numbers{2, 1, 3}));
  EXPECT_EQ(value_of("y = Range(a, b, c)", "int64 a = {1}, int64 b = {8}, int64 c = {3}").to_int64s(),
            (Numbers{1, 4, 7}));
  EXPECT_EQ(value_of("s = Shape(x) y = ReduceProd <keepdims = 0> (s)").to_int64s(), Numbers{120});
}

TEST(SmallValue, KnowsNothingOfOtherOperatorsAndLargeResults) {
  EXPECT_TRUE(value_of("y = Softmax(a)", "float[2] a = {1, 2}").empty());
  EXPECT_TRUE(value_of("y = Relu(x)").empty());
  EXPECT_TRUE(value_of("y = ConstantOfShape(s)", "int64[2] s = {1000, 1000}").empty());
  EXPECT_TRUE(value_of("y = Gather(s, i)", "int64[1] s = {2}, int64[1] i = {5}").empty());
  EXPECT_TRUE(value_of("y = Concat <axis = 3> (s, s)", "int64[1] s = {2}").empty());
}

TEST(SmallValue, RefusesMalformedNodes) {
  EXPECT_TRUE(value_of("y = Concat <axis = 0> (a, b)", "int64[1, 2] a = {1, 2}, int64[1, 3] b = {1, 2, 3}").empty());
  EXPECT_TRUE(
      value_of("y = Slice(s, a, a, b)", "int64[3] s = {1, 2, 3}, int64[2] a = {0, 0}, int64[1] b = {0}").empty());
  EXPECT_TRUE(value_of("y = Reshape(s, t)", "int64[2] s = {1, 2}, int64[2] t = {4611686018427387904, 4}").empty());
  EXPECT_TRUE(value_of("y = Mul(s, s)", "int64[1] s = {4611686018427387904}").empty());  // leaves 64 bits
  EXPECT_TRUE(value_of("y = Transpose <perm = [0, 5]> (s)", "int64[1, 2] s = {1, 2}").empty());
  EXPECT_TRUE(value_of("y = Unsqueeze(s, a)", "int64[1] s = {1}, int64[1] a = {9}").empty());
  EXPECT_EQ(value_of("y = Slice(s, a, b, a, c)",
                     "int64[3] s = {1, 2, 3}, int64[1] a = {0}, int64[1] b = {9}, int64[1] c = {9223372036854775807}")
                .to_int64s(),
            Numbers{1});
}

}  // namespace
}  // namespace pare::testing
