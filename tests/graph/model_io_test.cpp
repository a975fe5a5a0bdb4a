#include "pare/model_io.h"

#include "graph/wire.h"
#include "support/support.h"

namespace pare::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Model parsed(const std::string& bytes) { return parse_model(std::as_bytes(std::span(bytes.data(), bytes.size()))); }

/// The same model after a trip through a file.
Model reloaded(const Model& model) {
  const TempDir dir;
  save_model(model, dir / "m.onnx");
  return load_model(dir / "m.onnx");
}

const char* const kSmall = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  agraph (float[N, 3, H, W] x) => (float[N, 4, H, W] y)
  <float[4, 3, 1, 1] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[4] b = {1, 2, 3, 4}>
  { [conv1] c = Conv <kernel_shape = [1, 1]> (x, w, b)  [act] y = Relu(c) })";

TEST(SaveModel, KeepsEverythingOfAPlainModel) {
  Model model = model_from_text(kSmall);
  model.producer_name = "maker";
  model.producer_version = "1.2";
  model.domain = "org.example";
  model.model_version = 42;
  model.doc = "what it is for";
  model.graph.doc = "the graph";
  model.metadata = {{"a", "1"}, {"b", "two"}, {"a", "again"}};
  model.graph.nodes[0].doc = "first";
  model.graph.nodes[0].metadata = {{"place", "stem"}};
  model.graph.metadata = {{"g", "h"}};
  model.graph.inputs[0].doc = "the image";
  model.graph.inputs[0].denotation = "IMAGE";
  (*model.graph.inputs[0].shape)[1].denotation = "DATA_CHANNEL";
  model.graph.value_info.push_back(
      {.name = "c", .dtype = DType::kFloat32, .shape = {}, .doc = "inner", .opaque_type = {}, .metadata = {}});
  const Model again = reloaded(model);
  EXPECT_EQ(model_to_text(again), model_to_text(model));
  EXPECT_EQ(again.producer_name, "maker");
  EXPECT_EQ(again.producer_version, "1.2");
  EXPECT_EQ(again.domain, "org.example");
  EXPECT_EQ(again.model_version, 42);
  EXPECT_EQ(again.doc, "what it is for");
  EXPECT_EQ(again.graph.doc, "the graph");
  EXPECT_EQ(again.metadata, model.metadata);
  EXPECT_EQ(again.graph.metadata, model.graph.metadata);
  EXPECT_EQ(again.graph.nodes[0].doc, "first");
  EXPECT_EQ(again.graph.nodes[0].metadata, model.graph.nodes[0].metadata);
  EXPECT_EQ(again.graph.inputs[0].doc, "the image");
  EXPECT_EQ(again.graph.inputs[0].denotation, "IMAGE");
  EXPECT_EQ(*again.graph.inputs[0].shape, *model.graph.inputs[0].shape);
  EXPECT_EQ((*again.graph.inputs[0].shape)[0].symbol, "N");
  ASSERT_EQ(again.graph.value_info.size(), 1U);
  EXPECT_FALSE(again.graph.value_info[0].shape.has_value());  // no rank is not rank 0
  EXPECT_EQ(again.graph.value_info[0].doc, "inner");
  EXPECT_EQ(serialize_model(again), serialize_model(model));
}

TEST(SaveModel, KeepsFunctionsSubgraphsAndForeignDomains) {
  const Model model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17, "own" : 1, "com.acme" : 3]>
    agraph (float[N] x, bool cond) => (float[N] y) {
      a = own.twice(x)
      b = com.acme.Secret <mode = "odd", list = [1.5, 2.5]> (a)
      y = If(cond) <
        then_branch = t () => (float[N] p) <float[1] two = {2}> { p = Mul(b, two) },
        else_branch = e () => (float[N] q) { q = Identity(a) }
      >
    }
    <domain: "own", opset_import: ["" : 17]> twice (v) => (r) { r = Add(v, v) })");
  ASSERT_EQ(model.functions.size(), 1U);
  const Model again = reloaded(model);
  EXPECT_EQ(model_to_text(again), model_to_text(model));
  EXPECT_EQ(again.functions, model.functions);
  ASSERT_EQ(again.opset_imports.size(), 3U);
  EXPECT_EQ(again.opset_imports[2].version, 3);
  EXPECT_TRUE(again.graph.nodes[2].has_subgraph());
}

TEST(SaveModel, KeepsEveryElementType) {
  Model model = model_from_text(kSmall);
  for (int dtype = 1; dtype <= 26; ++dtype) {
    if (dtype == 8) continue;
    std::vector<std::byte> bytes(static_cast<std::size_t>((5 * dtype_bits(static_cast<DType>(dtype)) + 7) / 8));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 1);
    model.graph.initializers.set("t" + std::to_string(dtype),
                                 Tensor::from_bytes(static_cast<DType>(dtype), {5}, std::move(bytes)), "doc");
  }
  model.graph.initializers.set("s", Tensor::from_strings({2}, {"", std::string("a\0b", 3)}));
  model.graph.initializers.set("none", Tensor::zeros(DType::kFloat32, {0, 3}));
  model.graph.initializers.set("scalar", Tensor::scalar(std::int64_t{5}));
  const Model again = reloaded(model);
  ASSERT_EQ(again.graph.initializers.size(), model.graph.initializers.size());
  auto other = again.graph.initializers.begin();
  for (const auto& entry : model.graph.initializers) {
    EXPECT_EQ(other->name, entry.name);
    EXPECT_EQ(other->doc, entry.doc);
    EXPECT_TRUE(other->tensor.same_as(entry.tensor)) << entry.name;
    ++other;
  }
}

TEST(SaveModel, KeepsEveryKindOfAttribute) {
  Model model = model_from_text(kSmall);
  auto inner = std::make_shared<const Graph>(model.graph);
  Node node;
  node.op_type = "Thing";
  node.domain = "com.acme";
  node.overload = "v2";
  node.outputs = {"t"};
  node.set_attribute("i", std::int64_t{-3});
  node.set_attribute("f", 1.5F);
  node.set_attribute("s", std::string("a\0b", 3));
  node.set_attribute("t", Tensor::scalar(2.0F));
  node.set_attribute("g", inner);
  node.set_attribute("is", std::vector<std::int64_t>{});
  node.set_attribute("fs", std::vector<float>{1, 2});
  node.set_attribute("ss", std::vector<std::string>{"x", ""});
  node.set_attribute("ts", std::vector<Tensor>{Tensor::scalar(1.0F), Tensor::scalar(std::int64_t{2})});
  node.set_attribute("gs", std::vector<std::shared_ptr<const Graph>>{inner, inner});
  node.attributes[0].doc = "a number";
  model.graph.nodes.push_back(node);
  const Model again = reloaded(model);
  const Node& other = again.graph.nodes.back();
  ASSERT_EQ(other.attributes.size(), node.attributes.size());
  for (std::size_t i = 0; i < node.attributes.size(); ++i) {
    EXPECT_EQ(other.attributes[i].name, node.attributes[i].name);
    EXPECT_EQ(other.attributes[i].value.index(), node.attributes[i].value.index()) << node.attributes[i].name;
  }
  EXPECT_EQ(other.attributes[0].doc, "a number");
  EXPECT_EQ(other.overload, "v2");
  EXPECT_EQ(other.string_or("s", ""), std::string("a\0b", 3));
  EXPECT_EQ(serialize_model(again), serialize_model(model));
}

TEST(ParseModel, CarriesUnknownFieldsThrough) {
  const std::string node = wire::node("Relu", {"x"}, {"y"}) + wire::bytes(10, wire::bytes(1, "device")) +
                           wire::bytes(900, "future of the node");
  const std::string graph = wire::bytes(1, node) + wire::bytes(2, "g") +
                            wire::bytes(11, wire::value_info("x", 1, {2})) +
                            wire::bytes(12, wire::value_info("y", 1, {2})) + wire::bytes(901, "future of the graph");
  const std::string bytes =
      wire::model(graph) + wire::bytes(26, wire::bytes(1, "cfg")) + wire::bytes(902, "future of the model");
  const std::string again = serialize_model(parsed(bytes));
  for (const char* text : {"future of the node", "future of the graph", "future of the model", "device", "cfg"})
    EXPECT_THAT(again, HasSubstr(text));
  EXPECT_EQ(serialize_model(parsed(again)), again);
}

TEST(ParseModel, CarriesSparseInitializersAndAnnotationsThrough) {
  const std::string values = wire::tensor("w", 1, {1}, wire::raw(std::string("\0\0\x80\x3f", 4)));
  const std::string indices = wire::tensor("", 7, {1}, wire::raw(std::string("\1\0\0\0\0\0\0\0", 8)));
  const std::string sparse = wire::bytes(1, values) + wire::bytes(2, indices) + wire::number(3, 2);
  const std::string annotation =
      wire::bytes(1, "x") + wire::bytes(2, wire::bytes(1, "SCALE_TENSOR") + wire::bytes(2, "s"));
  const std::string graph = wire::bytes(1, wire::node("Add", {"x", "w"}, {"y"})) + wire::bytes(2, "g") +
                            wire::bytes(15, sparse) + wire::bytes(14, annotation) +
                            wire::bytes(11, wire::value_info("x", 1, {2})) +
                            wire::bytes(12, wire::value_info("y", 1, {2}));
  const Model model = parsed(wire::model(graph));
  EXPECT_THAT(model.graph.sparse_initializers, ElementsAre(sparse));
  EXPECT_THAT(model.graph.quantization_annotations, ElementsAre(annotation));
  check_model(model);
  const Model again = reloaded(model);
  EXPECT_EQ(again.graph.sparse_initializers, model.graph.sparse_initializers);
  EXPECT_EQ(again.graph.quantization_annotations, model.graph.quantization_annotations);
  NameGenerator names(model.graph);
  EXPECT_EQ(names.fresh("w"), "w_1");
}

TEST(ParseModel, ReadsWeightsInTypedFields) {
  const auto weight = [](int dtype, const std::string& data) {
    return parsed(wire::add_model(wire::tensor("w", dtype, {2}, data))).graph.initializers.find("w")->to_floats();
  };
  const std::vector<float> expected = {1, 2};
  const std::string floats("\0\0\x80\x3f\0\0\0\x40", 8);
  EXPECT_EQ(weight(1, wire::bytes(4, floats)), expected);  // packed float_data
  EXPECT_EQ(weight(1, wire::raw(floats)), expected);
  EXPECT_EQ(weight(6, wire::bytes(5, "\1\2")), expected);                              // int32_data
  EXPECT_EQ(weight(7, wire::bytes(7, "\1\2")), expected);                              // int64_data
  EXPECT_EQ(weight(2, wire::number(5, 1) + wire::number(5, 2)), expected);             // uint8, not packed
  EXPECT_EQ(weight(3, wire::bytes(5, "\1\2")), expected);                              // int8
  EXPECT_EQ(weight(10, wire::number(5, 0x3C00) + wire::number(5, 0x4000)), expected);  // float16
  EXPECT_EQ(weight(16, wire::number(5, 0x3F80) + wire::number(5, 0x4000)), expected);  // bfloat16
  EXPECT_EQ(weight(12, wire::bytes(11, "\1\2")), expected);                            // uint64_data
  EXPECT_EQ(weight(11, wire::bytes(10, std::string("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40", 16))), expected);
}

TEST(ParseModel, RefusesWeightsOfTheWrongSize) {
  const auto refuse = [](const std::string& weight, std::initializer_list<const char*> parts) {
    expect_error([&] { parsed(wire::add_model(weight)); }, ErrorCode::kMalformedModel, parts);
  };
  refuse(wire::tensor("w", 1, {2}, wire::raw("abcd")), {"tensor 'w'", "8 bytes", "not 4"});
  refuse(wire::tensor("w", 1, {2}), {"tensor 'w'", "8 bytes"});
  refuse(wire::tensor("w", 77, {2}, wire::raw("abcd")), {"tensor 'w'", "unknown element type 77"});
  refuse(wire::tensor("w", 1, {std::int64_t{1} << 40, std::int64_t{1} << 40}, wire::raw("abcd")), {"too large"});
  refuse(wire::tensor("w", 1, {-5}, wire::raw("abcd")), {"negative dimension"});
}

TEST(ParseModel, ReadsAttributesWithoutType) {
  // The first versions of ONNX did not store which field of an attribute counts.
  const std::string attributes[] = {wire::bytes(1, "kernel_shape") + wire::bytes(8, "\1\1"),
                                    wire::bytes(1, "group") + wire::number(3, 1),
                                    wire::bytes(1, "auto_pad") + wire::bytes(4, "VALID")};
  const std::string graph =
      wire::bytes(1, wire::node("Conv", {"x", "w"}, {"y"}, {attributes[0], attributes[1], attributes[2]})) +
      wire::bytes(2, "g") +
      wire::bytes(5, wire::tensor("w", 1, {1, 1, 1, 1}, wire::raw(std::string("\0\0\x80\x3f", 4)))) +
      wire::bytes(11, wire::value_info("x", 1, {1, 1, 4, 4})) +
      wire::bytes(11, wire::value_info("w", 1, {1, 1, 1, 1})) + wire::bytes(12, wire::value_info("y", 1, {1, 1, 4, 4}));
  const Model model = parsed(wire::number(1, 2) + wire::bytes(7, graph));
  EXPECT_EQ(model.opset(), 1);
  EXPECT_THAT(model.graph.nodes[0].ints_or("kernel_shape", {}), ElementsAre(1, 1));
  EXPECT_EQ(model.graph.nodes[0].int_or("group", 0), 1);
  EXPECT_EQ(model.graph.nodes[0].string_or("auto_pad", ""), "VALID");
  check_model(model);
}

TEST(ParseModel, TakesWeightsOutOfTheGraphInputs) {
  const std::string graph = wire::bytes(1, wire::node("Add", {"x", "w"}, {"y"})) + wire::bytes(2, "g") +
                            wire::bytes(5, wire::tensor("w", 1, {1}, wire::raw(std::string("\0\0\x80\x3f", 4)))) +
                            wire::bytes(11, wire::value_info("x", 1, {-1})) +
                            wire::bytes(11, wire::value_info("w", 1, {1})) +
                            wire::bytes(12, wire::value_info("y", 1, {-1}));
  const Model model = parsed(wire::model(graph, 3, 7));
  ASSERT_EQ(model.graph.inputs.size(), 1U);
  EXPECT_EQ(model.graph.inputs[0].name, "x");
  ASSERT_EQ(model.weights_as_inputs.size(), 1U);
  EXPECT_EQ(model.weights_as_inputs[0].name, "w");
  check_model(model);
  const Model again = reloaded(model);
  EXPECT_EQ(again.ir_version, 4);
  EXPECT_EQ(again.graph.inputs.size(), 1U);
  EXPECT_TRUE(again.weights_as_inputs.empty());
  EXPECT_TRUE(again.graph.initializers.contains("w"));
}

TEST(ParseModel, SortsNodesInSubgraphsToo) {
  const std::string inner = wire::bytes(1, wire::node("Neg", {"m"}, {"t"})) +
                            wire::bytes(1, wire::node("Relu", {"x"}, {"m"})) + wire::bytes(2, "inner") +
                            wire::bytes(12, wire::value_info("t", 1, {2}));
  const std::string branch = wire::bytes(6, inner) + wire::number(20, 5);
  const std::string graph =
      wire::bytes(1, wire::node("Relu", {"a"}, {"y"})) +
      wire::bytes(1, wire::node("If", {"c"}, {"a"},
                                {wire::bytes(1, "then_branch") + branch, wire::bytes(1, "else_branch") + branch})) +
      wire::bytes(2, "g") + wire::bytes(11, wire::value_info("x", 1, {2})) +
      wire::bytes(11, wire::value_info("c", 9, {})) + wire::bytes(12, wire::value_info("y", 1, {2}));
  const Model model = parsed(wire::model(graph));
  EXPECT_EQ(model.graph.nodes[0].op_type, "If");
  const Graph& first = *std::get<std::shared_ptr<const Graph>>(model.graph.nodes[0].attributes[0].value);
  EXPECT_EQ(first.nodes[0].op_type, "Relu");
  check_model(model);
}

TEST(ParseModel, RefusesWhatIsNoModel) {
  expect_error([] { parsed("just some text, long enough to be read"); }, ErrorCode::kMalformedModel,
               {"not an ONNX file"});
  expect_error([] { parsed(wire::number(1, 8)); }, ErrorCode::kMalformedModel, {"not an ONNX file"});
  expect_error([] { parsed(wire::model("")); }, ErrorCode::kMalformedModel, {"empty graph"});
  const std::string weight = wire::tensor("w", 1, {2}, wire::raw("12345678"));
  const std::string twice =
      wire::bytes(1, wire::node("Add", {"x", "w"}, {"y"})) + wire::bytes(5, weight) + wire::bytes(5, weight);
  expect_error([&] { parsed(wire::model(twice)); }, ErrorCode::kMalformedModel, {"initializer 'w' is defined twice"});
  expect_error([&] { parsed(wire::number(1, 8) + wire::bytes(7, wire::bytes(1, wire::node("Relu", {"x"}, {"y"})))); },
               ErrorCode::kMalformedModel, {"no operator set"});
}

TEST(LoadModel, TellsBadFilesApart) {
  const TempDir dir;
  const auto refuse = [&](const char* name, const std::string& content, std::initializer_list<const char*> parts) {
    write_file(dir / name, content);
    expect_error([&] { static_cast<void>(load_model(dir / name)); }, ErrorCode::kMalformedModel, parts);
  };
  refuse("a.zip", std::string("PK\x03\x04zzzz", 8), {"a.zip", "zip archive", "remedy"});
  refuse("a.gz", "\x1f\x8b\x08\x00", {"gzip"});
  refuse("a.html", "<!DOCTYPE html>", {"HTML"});
  refuse("a.lfs", "version https://git-lfs.github.com/spec/v1\n", {"Git LFS pointer", "git lfs pull"});
  refuse("a.empty", "", {"empty file"});
  refuse("a.txt", "Dear reader, this is no model at all.\n", {"not an ONNX file"});
  expect_error([&] { static_cast<void>(load_model(dir / "none.onnx")); }, ErrorCode::kIo, {"no such file"});
  expect_error([&] { static_cast<void>(load_model(dir.path())); }, ErrorCode::kIo, {"folder"});
  expect_error([&] { static_cast<void>(load_model("/dev/null")); }, ErrorCode::kIo, {"pipe or device"});
}

TEST(LoadModel, TellsEveryTruncation) {
  const std::string whole = serialize_model(model_from_text(kSmall));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(static_cast<void>(parsed(whole.substr(0, size))), Error)
        << "of " << whole.size() << " bytes, " << size;
  expect_error([&] { parsed(whole.substr(0, whole.size() - 30)); }, ErrorCode::kMalformedModel,
               {"truncated or damaged", "remedy"});
}

TEST(LoadModel, ReadsFilesOfManyWindows) {
  const TempDir dir;
  Model model = model_from_text(kSmall);
  for (std::int64_t i = 1; i <= 4; ++i) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(i * 500'000 + i));
    for (std::size_t at = 0; at < values.size(); ++at) values[at] = static_cast<std::int64_t>(at) * i;
    model.graph.initializers.set("big" + std::to_string(i),
                                 Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  save_model(model, dir / "m.onnx");
  const Model again = load_model(dir / "m.onnx");
  for (const auto& entry : model.graph.initializers)
    EXPECT_TRUE(again.graph.initializers.find(entry.name)->same_as(entry.tensor)) << entry.name;
  fs::resize_file(dir / "m.onnx", fs::file_size(dir / "m.onnx") - 1);
  expect_error([&] { static_cast<void>(load_model(dir / "m.onnx")); }, ErrorCode::kMalformedModel, {"truncated"});
}

TEST(LoadModel, FindsTheModelWhateverTheWorkingDirectory) {
  const TempDir dir;
  fs::create_directory(dir / "here");
  save_model(model_from_text(kSmall), dir / "here/m.onnx");
  const fs::path old = fs::current_path();
  fs::current_path(dir / "here");
  const Model model = load_model("m.onnx");
  save_model(model, "copy.onnx");
  fs::current_path(old);
  EXPECT_EQ(read_file(dir / "here/copy.onnx"), read_file(dir / "here/m.onnx"));
}

TEST(SaveModel, MayReplaceItsOwnInput) {
  const TempDir dir;
  save_model(model_from_text(kSmall), dir / "m.onnx");
  Model model = load_model(dir / "m.onnx");
  model.doc = "changed";
  save_model(model, dir / "m.onnx");
  EXPECT_EQ(load_model(dir / "m.onnx").doc, "changed");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(ModelFromText, PointsAtTheMistake) {
  expect_error([] { static_cast<void>(model_from_text("nonsense")); }, ErrorCode::kMalformedModel, {"text"});
  expect_error([] { static_cast<void>(model_from_text(std::string(kSmall) + " more")); }, ErrorCode::kMalformedModel,
               {"more"});
}

TEST(SizeOnDisk, IsTheFileAlone) {
  const TempDir dir;
  save_model(model_from_text(kSmall), dir / "m.onnx");
  EXPECT_EQ(size_on_disk(dir / "m.onnx"), static_cast<std::int64_t>(fs::file_size(dir / "m.onnx")));
  expect_error([&] { static_cast<void>(size_on_disk(dir / "none")); }, ErrorCode::kIo, {"none"});
}

}  // namespace
}  // namespace pare::testing
