// The registry, the options all share, and the rules of initialisation.
#include "architecture/sound.h"

namespace pare::testing {
namespace {

TEST(Architecture, EveryOneIsBuiltFromItsDefaultsAndSaysSo) {
  EXPECT_GE(all_architectures().size(), 12U);
  std::set<std::string> names;
  for (const ArchitectureInfo& info : all_architectures()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name << " stands twice in the list";
    EXPECT_EQ(find_architecture(info.name).summary, info.summary);
    const Model model = new_model(info.name);
    const std::string* text = model.find_metadata(kArchitectureKey);
    ASSERT_NE(text, nullptr);
    EXPECT_TRUE(text->starts_with(info.name + " "));
    for (const OptionInfo& option : info.options)
      EXPECT_THAT(*text, ::testing::HasSubstr(option.name + "=" + option.default_text)) << info.name;
    EXPECT_GE(model.opset(), 17);
    EXPECT_GE(model.ir_version, 8);
  }
}

TEST(Architecture, NodesValuesAndWeightsShareTheirNames) {
  const Model model = new_model("resnet20");
  for (const Node& node : model.graph.nodes) {
    EXPECT_FALSE(node.name.empty());
    if (node.output(0) != "logits") {
      EXPECT_EQ(node.output(0), node.name);
    }
    if (node.is("Conv")) {
      EXPECT_EQ(node.inputs.size(), 2U) << node.name << " has a bias before its BatchNormalization";
      EXPECT_EQ(node.input(1), node.name + ".weight");
    }
  }
  EXPECT_TRUE(model.graph.initializers.contains("layer1.0.conv1.weight"));
  EXPECT_TRUE(model.graph.initializers.contains("layer3.0.downsample.1.running_var"));
}

TEST(Architecture, ConvolutionsAreInitialisedByFanOut) {
  const Model model = new_model("resnet18", {{"size", "32"}});
  const auto expect_variance = [&](const char* name, double variance) {
    const double found = deviation(*model.graph.initializers.find(name));
    EXPECT_NEAR(found * found / variance, 1, 0.05) << name;
  };
  expect_variance("conv1.weight", 2.0 / (64 * 49));
  expect_variance("layer4.0.conv1.weight", 2.0 / (512 * 9));
  expect_variance("fc.weight", 1.0 / (3 * 512));
  const Model depthwise = new_model("mobilenet_v2", {{"size", "32"}});
  const double found = deviation(*depthwise.graph.initializers.find("stage6.1.depthwise.conv.weight"));
  EXPECT_NEAR(found * found / (2.0 / 9), 1, 0.1);
}

TEST(Architecture, RunningVarianceIsWhatTheConvolutionPutsOut) {
  const auto ratio = [](const std::string& name, const Options& options, const std::string& conv,
                        const std::string& bn) {
    Model model = new_model(name, options);
    ValueInfo inner;
    inner.name = conv;
    inner.dtype = DType::kFloat32;
    model.graph.outputs = {inner};
    const double found = deviation(open_session(model)->run(normal_input(model, 8)).at(0));
    return found * found / model.graph.initializers.find(bn + ".running_var")->to_floats()[0];
  };
  // Of one draw of the weights, and padding takes its part.
  EXPECT_NEAR(ratio("resnet20", {}, "layer1.0.conv1", "layer1.0.bn1"), 1, 0.3);
  EXPECT_NEAR(ratio("resnet20", {}, "layer2.1.conv2", "layer2.1.bn2"), 1, 0.4);
  EXPECT_NEAR(ratio("mobilenet_v2", {{"size", "64"}}, "stage2.1.expand.conv", "stage2.1.expand.bn"), 1, 0.4);
  EXPECT_NEAR(ratio("unet", {{"size", "64"}}, "up1.conv1", "up1.bn1"), 1, 0.5);
}

TEST(Architecture, OnlyTheSeedChangesTheWeights) {
  const auto weight = [](const Options& options) {
    return *new_model("resnet8", options).graph.initializers.find("conv1.weight");
  };
  EXPECT_TRUE(weight({{"classes", "3"}}).same_as(weight({{"classes", "9"}, {"size", "64"}})));
  EXPECT_FALSE(weight({{"seed", "1"}}).same_as(weight({{"seed", "2"}})));
  const std::vector<float> first = weight({}).to_floats();
  EXPECT_NE(first[0], first[1]);
}

TEST(Architecture, UnknownNamesGetTheNearest) {
  expect_error([] { (void)new_model("resnet21"); }, ErrorCode::kInvalidArgument, {"'resnet21'", "'resnet20'"});
  expect_error([] { (void)find_architecture("u-net"); }, ErrorCode::kInvalidArgument, {"'unet'", "architectures: "});
  expect_error([] { (void)new_model("resnet20", {{"widht", "2"}}); }, ErrorCode::kInvalidArgument,
               {"resnet20 has no option 'widht'", "'width'"});
}

TEST(Architecture, BadValuesAreRefusedByName) {
  const std::vector<std::pair<Options, const char*>> bad = {
      {{{"width", "0"}}, "width 0"},         {{{"width", "-1"}}, "width -1"},  {{{"width", "17"}}, "width 17"},
      {{{"width", "wide"}}, "'wide'"},       {{{"size", "0"}}, "size '0'"},    {{{"size", ""}}, "size ''"},
      {{{"size", "32,"}}, "size '32,'"},     {{{"size", "1,2,3"}}, "'1,2,3'"}, {{{"size", "32,x"}}, "'32,x'"},
      {{{"size", "99999"}}, "size '99999'"}, {{{"bands", "0"}}, "bands 0"},    {{{"bands", "3.5"}}, "'3.5'"},
      {{{"classes", "-2"}}, "classes -2"},   {{{"classes", ""}}, "'classes'"}, {{{"seed", "-1"}}, "seed -1"},
  };
  for (const auto& [options, part] : bad)
    expect_error([&] { (void)new_model("resnet8", options); }, ErrorCode::kInvalidArgument, {"resnet8", part});
}

TEST(Architecture, RefusesWhatFitsNoMachineBeforeDrawingIt) {
  expect_error([] { (void)new_model("mlp", {{"widths", "1000000-1000000-10"}}); }, ErrorCode::kInvalidArgument,
               {"fc1.weight", "500,000,000", "remedy"});
}

TEST(Architecture, SizesAreReadInEveryWriting) {
  for (const char* size : {"24,40", "24x40", " 24 , 40 "}) {
    const std::vector<Dim>& dims = *new_model("resnet8", {{"size", size}}).graph.inputs[0].shape;
    EXPECT_EQ(dims[2].value, 24) << size;
    EXPECT_EQ(dims[3].value, 40) << size;
  }
}

}  // namespace
}  // namespace pare::testing
