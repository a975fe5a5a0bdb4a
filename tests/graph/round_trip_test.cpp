// Random models through the protobuf form and back.
#include <rapidcheck.h>

#include <cstdlib>

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {
namespace {

/// A chain of random element by element operators with random tensors of random types beside it.
Model random_model() {
  using rc::gen::arbitrary;
  Model model;
  model.set_opset(static_cast<std::int64_t>(*rc::gen::inRange(7, 22)));
  model.ir_version = *rc::gen::inRange(4, 10);
  model.doc = *arbitrary<std::string>();
  for (auto& [key, value] : *arbitrary<std::vector<std::pair<std::string, std::string>>>())
    model.metadata.emplace_back(key, value);
  const auto info = [](const std::string& name) {
    std::vector<Dim> dims;
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
      Dim dim;
      if (*arbitrary<bool>())
        dim.value = *rc::gen::inRange(0, 9);
      else
        dim.symbol = *rc::gen::element<std::string>("N", "H", "");
      dims.push_back(dim);
    }
    return ValueInfo{
        .name = name, .dtype = DType::kFloat32, .shape = dims, .doc = {}, .opaque_type = {}, .metadata = {}};
  };
  model.graph.name = "g";
  model.graph.inputs.push_back(info("v0"));
  const int count = *rc::gen::inRange(1, 12);
  for (int i = 0; i < count; ++i) {
    const DType dtype = static_cast<DType>(*rc::gen::element(1, 2, 3, 6, 7, 9, 10, 11, 16, 22));
    const Shape shape = *rc::gen::container<Shape>(2, rc::gen::inRange<std::int64_t>(0, 4));
    std::vector<std::byte> bytes(static_cast<std::size_t>((element_count(shape) * dtype_bits(dtype) + 7) / 8));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(*arbitrary<std::uint8_t>());
    model.graph.initializers.set("w" + std::to_string(i), Tensor::from_bytes(dtype, shape, bytes),
                                 *arbitrary<std::string>());
    Node node;
    node.name = *arbitrary<std::string>();
    node.op_type = *rc::gen::element<std::string>("Relu", "Add", "Thing");
    node.domain = node.op_type == "Thing" ? "com.acme" : "";
    node.inputs = {"v" + std::to_string(*rc::gen::inRange(0, i + 1)),
                   *arbitrary<bool>() ? "w" + std::to_string(i) : ""};
    node.outputs = {"v" + std::to_string(i + 1)};
    node.set_attribute("ints", *arbitrary<std::vector<std::int64_t>>());
    node.set_attribute("floats", *arbitrary<std::vector<float>>());
    node.set_attribute("text", *arbitrary<std::string>());
    node.set_attribute("number", *arbitrary<std::int64_t>());
    model.graph.nodes.push_back(std::move(node));
  }
  model.graph.outputs.push_back(info("v" + std::to_string(count)));
  return model;
}

TEST(RoundTrip, KeepsRandomModelsByteForByte) {
  // A fixed seed, unless the environment names another; rapidcheck prints it when a case fails.
  setenv("RC_PARAMS", "seed=20 max_success=60", 0);
  const bool held = rc::check("parse(serialize(m)) serializes to the same bytes", [] {
    const std::string bytes = serialize_model(random_model());
    RC_ASSERT(serialize_model(parse_model(std::as_bytes(std::span(bytes)))) == bytes);
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace pare::testing
