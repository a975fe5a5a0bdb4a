#include <cmath>

#include "pare/dataset.h"
#include "support/support.h"

namespace pare::testing {
namespace {

TEST(Preprocess, ReadsEveryKey) {
  const Preprocess read = parse_preprocess(
      R"({"resize": [224, 200], "channels": "bgr", "scale": 0.5, "mean": [1, 2, 3], "std": 4, "layout": "nhwc",
          "bands": [4, 3, 2], "nodata": -9999, "mask_values": [1, 2], "tile": 64, "tile_step": 32,
          "target_bands": [6], "part": "test", "test_share": 0.5})");
  EXPECT_EQ(read.resize, (std::pair<std::int64_t, std::int64_t>(224, 200)));
  EXPECT_EQ(read.channels, "bgr");
  EXPECT_EQ(read.scale, 0.5);
  EXPECT_EQ(read.mean, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(read.std_dev, (std::vector<double>{4}));
  EXPECT_EQ(read.layout, "nhwc");
  EXPECT_EQ(read.bands, (std::vector<std::int64_t>{4, 3, 2}));
  EXPECT_EQ(read.nodata, -9999);
  EXPECT_EQ(read.mask_values, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(read.tile, 64);
  EXPECT_EQ(read.tile_step, 32);
  EXPECT_EQ(read.target_bands, (std::vector<std::int64_t>{6}));
  EXPECT_EQ(read.part, "test");
  EXPECT_EQ(read.test_share, 0.5);
}

TEST(Preprocess, WrittenAndReadAgainIsTheSame) {
  const char* texts[] = {
      "{}",
      R"({"resize":[224,200],"channels":"gray","scale":0.00392156862745098,"mean":[0.485],"std":[0.229]})",
      R"({"layout":"nchw","bands":[1],"nodata":0.0,"mask_values":[0,255]})",
      R"({"tile":64,"tile_step":32,"target_bands":[6,1],"test_share":0.1})",
      R"({"inputs":{"a":{"scale":0.1},"b":{}},"mask_values":[3]})",
  };
  for (const char* text : texts) {
    const Preprocess read = parse_preprocess(text);
    EXPECT_EQ(parse_preprocess(preprocess_to_json(read)), read) << preprocess_to_json(read);
    EXPECT_EQ(preprocess_to_json(read), text);
  }
}

TEST(Preprocess, PartIsOfTheDataAndDoesNotTravelWithTheModel) {
  EXPECT_EQ(preprocess_to_json(parse_preprocess(R"({"tile": 8, "part": "train"})")), R"({"tile":8})");
}

TEST(Preprocess, TakesNanAsNodata) {
  const Preprocess read = parse_preprocess(R"({"nodata": "nan"})");
  ASSERT_TRUE(read.nodata);
  EXPECT_TRUE(std::isnan(*read.nodata));
  EXPECT_EQ(preprocess_to_json(read), R"({"nodata":"nan"})");
}

TEST(Preprocess, NamesAnUnknownKeyAndItsNearest) {
  expect_error([] { (void)parse_preprocess(R"({"meen": [0.5]})"); }, ErrorCode::kInvalidArgument,
               {"preprocess: unknown key 'meen'", "nearest: 'mean'"});
  expect_error([] { (void)parse_preprocess(R"({"inputs": {"a": {"sclae": 1}}})"); }, ErrorCode::kInvalidArgument,
               {"unknown key 'sclae'", "'scale'"});
}

TEST(Preprocess, RefusesValuesThatMakeNoSense) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"resize": [32]})", "expected [height, width]"},
      {R"({"resize": [0, 32]})", "expected [height, width]"},
      {R"({"resize": [32.5, 32]})", "expected [height, width]"},
      {R"({"resize": 32})", "expected [height, width]"},
      {R"({"channels": "grey"})", "one of 'rgb', 'bgr', 'gray'"},
      {R"({"channels": 3})", "one of"},
      {R"({"layout": "hwc"})", "one of 'nchw', 'nhwc'"},
      {R"({"scale": 0})", "other than 0"},
      {R"({"scale": "1/255"})", "a number"},
      {R"({"mean": []})", "per channel"},
      {R"({"mean": ["a"]})", "per channel"},
      {R"({"std": [1, 0]})", "above 0"},
      {R"({"bands": [0]})", "counted from 1"},
      {R"({"nodata": "none"})", "\"nan\""},
      {R"({"mask_values": [1.5]})", "classes 0, 1"},
      {R"({"tile": 0})", "whole number of pixels"},
      {R"({"tile": 6.5})", "whole number of pixels"},
      {R"({"tile_step": 8})", "'tile_step' without 'tile'"},
      {R"({"target_bands": 6})", "counted from 1"},
      {R"({"part": "val"})", "one of 'train', 'test'"},
      {R"({"test_share": 1})", "between 0 and 1"},
      {R"({"inputs": {"a": {"inputs": {}}}})", "unknown key 'inputs'"},
      {R"({"inputs": {}})", "per input name"},
      {R"({"inputs": {"a": {}}, "scale": 1})", "stands beside 'inputs'"},
      {R"([1])", "expected an object"},
      {R"({"scale": 1)", "not JSON"},
      {"", "not JSON"},
  };
  for (const auto& [text, part] : cases) {
    SCOPED_TRACE(text);
    expect_error([&] { (void)parse_preprocess(text); }, ErrorCode::kInvalidArgument, {"preprocess:", part});
  }
}

}  // namespace
}  // namespace pare::testing
