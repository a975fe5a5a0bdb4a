#include "pare/augment.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "data/samples.h"

namespace pare::testing {
namespace {

/// Given tensors, of which a batch takes rows.
class Given final : public Dataset {
 public:
  Given(NamedTensors inputs, Tensor target, InputLayout layout = {})
      : inputs_(std::move(inputs)), target_(std::move(target)), layout_(std::move(layout)) {}
  [[nodiscard]] Task task() const override { return Task::kNone; }
  [[nodiscard]] std::int64_t size() const override { return inputs_.begin()->second.shape()[0]; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string description() const override { return "given samples"; }
  [[nodiscard]] std::string fingerprint() const override { return "given"; }
  [[nodiscard]] InputLayout layout(const std::string&) const override { return layout_; }
  [[nodiscard]] Batch batch(std::span<const std::int64_t> indices) const override {
    Batch batch;
    batch.size = static_cast<std::int64_t>(indices.size());
    for (const auto& [name, tensor] : inputs_) batch.inputs[name] = rows(tensor, indices);
    if (!target_.empty()) batch.target = rows(target_, indices);
    return batch;
  }

 private:
  static Tensor rows(const Tensor& tensor, std::span<const std::int64_t> indices) {
    Shape shape = tensor.shape();
    const std::int64_t each = tensor.size_bytes() / shape[0];
    shape[0] = static_cast<std::int64_t>(indices.size());
    std::vector<std::byte> bytes;
    for (const std::int64_t index : indices) {
      const auto row = tensor.bytes().subspan(static_cast<std::size_t>(index * each), static_cast<std::size_t>(each));
      bytes.insert(bytes.end(), row.begin(), row.end());
    }
    return Tensor::from_bytes(tensor.dtype(), shape, bytes);
  }
  NamedTensors inputs_;
  Tensor target_;
  InputLayout layout_;
};

template <class T>
Tensor counting(const Shape& shape, T first = 0) {
  std::vector<T> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), first);
  return Tensor::of<T>(shape, values);
}

std::unique_ptr<Dataset> changed(Given data, const std::string& words, std::uint64_t seed = 1) {
  return augmented(std::make_shared<const Given>(std::move(data)), parse_augment(words), seed);
}

Batch all_of(const Dataset& data) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(data.size()));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return data.batch(indices);
}

TEST(Augmented, DependsOnSeedAndSampleAlone) {
  const Given data({{"x", counting<float>({64, 3, 8, 8})}}, counting<std::int64_t>({64, 8, 8}));
  const auto one = changed(data, "crop2,hflip,vflip,rot90,cutout3", 7);
  const Batch all = all_of(*one), some = batch_of(*one, {40, 3, 40});
  const auto row = [](const Tensor& tensor, std::int64_t index) {
    const auto each = static_cast<std::size_t>(tensor.size_bytes() / tensor.shape()[0]);
    const auto bytes = tensor.bytes().subspan(static_cast<std::size_t>(index) * each, each);
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  for (const auto& [at, index] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 40}, {1, 3}, {2, 40}}) {
    EXPECT_EQ(row(some.inputs.at("x"), at), row(all.inputs.at("x"), index));
    EXPECT_EQ(row(some.target, at), row(all.target, index));
  }
  const auto again = changed(data, "crop2,hflip,vflip,rot90,cutout3", 7), other = changed(data, "crop2,hflip", 8);
  EXPECT_TRUE(all_of(*again).inputs.at("x").same_as(all.inputs.at("x")));
  EXPECT_FALSE(all_of(*other).inputs.at("x").same_as(all.inputs.at("x")));
  EXPECT_EQ(again->fingerprint(), one->fingerprint());
  EXPECT_NE(changed(data, "crop2,hflip,vflip,rot90,cutout3", 8)->fingerprint(), one->fingerprint());
  EXPECT_EQ(other->description(), "given samples (crop2,hflip)");
  for (const int workers : {1, 3}) {
    BatchReader reader(*one, 10, workers);
    std::int64_t index = 0;
    while (const auto batch = reader.next())
      for (std::int64_t i = 0; i < batch->size; ++i, ++index)
        ASSERT_EQ(row(batch->inputs.at("x"), i), row(all.inputs.at("x"), index));
    EXPECT_EQ(index, 64);
  }
}

TEST(Augmented, MovesMasksAndMapsWithTheImage) {
  // The target says where each pixel of the image came from, so the two must stay equal pixel by pixel.
  const Tensor image = counting<float>({40, 1, 6, 6});
  const auto values = image.to_floats();
  const std::vector<std::int64_t> numbers(values.begin(), values.end());
  for (const char* words : {"aerial", "reflect2,hflip", "crop3,vflip", "crop1,aerial,cutout2"}) {
    SCOPED_TRACE(words);
    for (const Shape& shape : {Shape{40, 1, 6, 6}, Shape{40, 6, 6}, Shape{40, 6, 6, 1}}) {
      const Batch map = all_of(*changed(Given({{"x", image}}, image.reshaped(shape)), words));
      EXPECT_EQ(map.target.shape(), shape);
      const auto seen = map.inputs.at("x").to_floats(), target = map.target.to_floats();
      std::int64_t moved = 0, border = 0;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        moved += seen[i] != values[i];
        border += std::isnan(target[i]);
        EXPECT_TRUE(seen[i] == 0 || seen[i] == target[i]) << seen[i] << " " << target[i];  // 0: border or hole
      }
      EXPECT_GT(moved, 500);
      EXPECT_EQ(border > 0, std::string(words).starts_with("crop"));
    }
    const Batch mask = all_of(*changed(Given({{"x", image}}, Tensor::of<std::int64_t>({40, 6, 6}, numbers)), words));
    const auto seen = mask.inputs.at("x").to_floats();
    const auto target = mask.target.to_int64s();
    for (std::size_t i = 0; i < seen.size(); ++i)
      EXPECT_TRUE(seen[i] == 0 || static_cast<std::int64_t>(seen[i]) == target[i]) << seen[i] << " " << target[i];
    EXPECT_EQ(std::count(target.begin(), target.end(), -1) > 0, std::string(words).starts_with("crop"));
  }
}

TEST(Augmented, LeavesNumbersPerSampleAlone) {
  for (const Shape& shape : {Shape{8}, Shape{8, 3}, Shape{8, 1, 1, 1}}) {
    const Tensor target = counting<float>(shape);
    EXPECT_TRUE(
        all_of(*changed(Given({{"x", counting<float>({8, 2, 4, 4})}}, target), "crop1,aerial")).target.same_as(target));
  }
}

TEST(Augmented, MovesMapsOfAnotherScale) {
  const Tensor image = counting<float>({30, 1, 8, 8});
  std::vector<float> coarse;  // every second pixel of every second row
  for (std::int64_t i = 0; i < 30; ++i)
    for (std::int64_t y = 0; y < 4; ++y)
      for (std::int64_t x = 0; x < 4; ++x)
        coarse.push_back(image.to_floats()[static_cast<std::size_t>(i * 64 + 16 * y + 2 * x)]);
  const Batch batch = all_of(*changed(Given({{"x", image}}, Tensor::of<float>({30, 1, 4, 4}, coarse)), "hflip"));
  const auto seen = batch.inputs.at("x").to_floats(), target = batch.target.to_floats();
  for (std::size_t i = 0; i < 30; ++i)
    EXPECT_EQ(target[16 * i] == static_cast<float>(64 * i), seen[64 * i] == static_cast<float>(64 * i)) << i;
  expect_error([&] { (void)all_of(*changed(Given({{"x", image}}, counting<float>({30, 1, 4, 4})), "crop1")); },
               ErrorCode::kInvalidArgument, {"crop needs a target", "8 x 8", "4 x 4"});
}

TEST(Augmented, TreatsBothLayoutsAndEveryTypeAlike) {
  const std::int64_t count = 24, channels = 5, size = 6;
  const Tensor planes = counting<std::uint8_t>({count, channels, size, size});
  const auto stored = planes.to_floats();
  std::vector<std::uint8_t> last;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t pixel = 0; pixel < size * size; ++pixel)
      for (std::int64_t c = 0; c < channels; ++c)
        last.push_back(
            static_cast<std::uint8_t>(stored[static_cast<std::size_t>((i * channels + c) * size * size + pixel)]));
  const std::string words = "crop2,aerial,cutout2";
  const auto first = all_of(*changed(Given({{"x", planes}}, {}), words)).inputs.at("x").to_floats();
  const auto pixels = all_of(*changed(Given({{"x", Tensor::of<std::uint8_t>({count, size, size, channels}, last)}}, {},
                                            {.channels_last = true}),
                                      words))
                          .inputs.at("x")
                          .to_floats();
  const auto wide =
      all_of(*changed(Given({{"x", Tensor::of<float>({count, channels, size, size}, stored)}}, {}), words))
          .inputs.at("x")
          .to_floats();
  EXPECT_EQ(first, wide);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t pixel = 0; pixel < size * size; ++pixel)
      for (std::int64_t c = 0; c < channels; ++c)
        ASSERT_EQ(pixels[static_cast<std::size_t>((i * size * size + pixel) * channels + c)],
                  first[static_cast<std::size_t>((i * channels + c) * size * size + pixel)]);
}

TEST(Augmented, PadsWithWhatStoredBlackBecomes) {
  const TempDir folder;
  write_file(folder / "a.bin", cifar_file(10));
  const auto first_pixels = [&](const char* json, const std::vector<ValueInfo>& inputs) {
    const std::shared_ptr<const Dataset> whole =
        open_dataset(folder / "a.bin", {.preprocess = parse_preprocess(json), .inputs = inputs});
    std::set<float> seen;
    const Batch batch = all_of(*augmented(whole, parse_augment("crop8"), 1));
    for (const float value : batch.inputs.at(inputs.empty() ? "x" : inputs[0].name).to_floats()) seen.insert(value);
    return seen;
  };
  const std::vector<ValueInfo> last = {input_info("image", {-1, 32, 32, 3})};
  for (const auto& inputs : {std::vector<ValueInfo>{}, last}) {
    const auto seen = first_pixels(R"({"scale": 0.5, "mean": [1000, 2000, 3000], "std": [2, 4, 8]})", inputs);
    for (const float black : {-500.0f, -500.0f, -375.0f}) EXPECT_TRUE(seen.contains(black)) << black;
    EXPECT_FALSE(seen.contains(0));
    EXPECT_TRUE(first_pixels(R"({"mean": 1000, "nodata": 250})", inputs).contains(0));
  }
}

TEST(Augmented, CutsASquareOfZerosOutOfTheInputAlone) {
  const std::vector<float> ones(static_cast<std::size_t>(50 * 2 * 10 * 10), 1.0f);
  const Tensor target = counting<float>({50, 1, 10, 10});
  const Batch batch = all_of(*changed(Given({{"x", Tensor::of<float>({50, 2, 10, 10}, ones)}}, target), "cutout4"));
  EXPECT_TRUE(batch.target.same_as(target));
  const auto values = batch.inputs.at("x").data<float>();
  std::set<std::int64_t> sizes;
  for (std::size_t i = 0; i < 50; ++i) {
    const auto image = values.subspan(i * 200, 200);
    EXPECT_TRUE(std::equal(image.begin(), image.begin() + 100, image.begin() + 100));
    sizes.insert(std::count(image.begin(), image.begin() + 100, 0.0f));
  }
  EXPECT_EQ(*sizes.rbegin(), 16);  // whole squares, and clipped ones at the edge
  EXPECT_GE(*sizes.begin(), 4);
}

TEST(Augmented, TossesFairCoins) {
  const Tensor image = counting<float>({2000, 1, 3, 3});
  const auto count = [&](const char* words) {
    const auto values = all_of(*changed(Given({{"x", image}}, {}), words)).inputs.at("x").to_floats();
    std::vector<std::int64_t> corners(9);
    for (std::size_t i = 0; i < 2000; ++i) ++corners[static_cast<std::size_t>(values[9 * i]) % 9];
    return corners;
  };
  EXPECT_NEAR(static_cast<double>(count("hflip")[2]), 1000, 100);
  EXPECT_NEAR(static_cast<double>(count("vflip")[6]), 1000, 100);
  for (const std::size_t corner : {0U, 2U, 6U, 8U}) {
    EXPECT_NEAR(static_cast<double>(count("rot90")[corner]), 500, 100) << corner;
    EXPECT_NEAR(static_cast<double>(count("hflip,vflip")[corner]), 500, 100) << corner;
  }
}

TEST(Augmented, RefusesWhatDoesNotFit) {
  const auto refuse = [](Given data, const char* words, std::initializer_list<const char*> parts) {
    const auto augmented = changed(std::move(data), words);
    expect_error([&] { (void)all_of(*augmented); }, ErrorCode::kInvalidArgument, parts);
  };
  const Tensor oblong = counting<float>({2, 1, 4, 6});
  refuse(Given({{"x", oblong}}, {}), "rot90", {"rot90 needs squares", "4 x 6", "remedy"});
  refuse(Given({{"x", oblong}}, {}), "crop4", {"border of 4 pixels", "4 x 6"});
  refuse(Given({{"x", counting<float>({2, 10})}}, {}), "hflip", {"no input of images", "given samples"});
  refuse(Given({{"x", oblong}}, counting<float>({2, 3, 5})), "hflip", {"[2, 3, 5]", "no map", "4 x 6"});
  refuse(Given({{"x", oblong}, {"y", counting<float>({2, 1, 8, 12})}}, {}), "crop1", {"inputs of one size", "'y'"});
  expect_error([&] { (void)augmented(std::make_shared<Given>(Given({{"x", oblong}}, {})), {.crop = -1}, 1); },
               ErrorCode::kInvalidArgument, {"-1"});
  EXPECT_TRUE(all_of(*changed(Given({{"x", counting<float>({2, 10})}}, {}), "none"))
                  .inputs.at("x")
                  .same_as(counting<float>({2, 10})));
}

}  // namespace
}  // namespace pare::testing
