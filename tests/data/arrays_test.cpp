#include "data/samples.h"

namespace pare::testing {
namespace {

std::vector<float> counting(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return values;
}

using Members = std::vector<std::pair<std::string, std::string>>;
std::unique_ptr<Dataset> open_npz(const TempDir& folder, const Members& members, const DatasetOptions& options = {}) {
  write_file(folder / "d.npz", npz_file(members));
  return open_dataset(folder / "d.npz", options);
}
const std::string kImages = npy_file("<f4", "(2, 3, 4, 5)", counting(120));

TEST(Arrays, ReadStoredNpzWithClasses) {
  const TempDir folder;
  const auto data = open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file<std::int64_t>("<i8", "(2,)", {4, 1})}});
  EXPECT_EQ(data->task(), Task::kClassification);
  EXPECT_EQ(data->class_count(), 5);
  EXPECT_EQ(data->description(), "2 samples in d.npz (NumPy)");
  const Batch batch = batch_of(*data, {1, 0});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{1, 4}));
  EXPECT_EQ(batch.inputs.at("x").shape(), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(batch.inputs.at("x").data<float>()[0], 60);
}

TEST(Arrays, ReadCompressedNpz) {
  const TempDir folder;
  write_file(folder / "c.npz", from_base64(kCompressedNpz));
  const auto data = open_dataset(folder / "c.npz");
  const Batch batch = batch_of(*data, {0, 1});
  EXPECT_EQ(batch.inputs.at("x").to_floats(), counting(120));
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{1, 0}));
}

TEST(Arrays, NameADamagedArchive) {
  const TempDir folder;
  const std::string good = from_base64(kCompressedNpz);
  write_file(folder / "cut.npz", good.substr(0, 300));
  expect_error([&] { (void)open_dataset(folder / "cut.npz"); }, ErrorCode::kIo, {"cut.npz", "truncated"});
  std::string damaged = good;
  damaged[250] = static_cast<char>(damaged[250] ^ 0x10);
  write_file(folder / "bad.npz", damaged);
  expect_error([&] { (void)batch_of(*open_dataset(folder / "bad.npz"), {0, 1}); }, ErrorCode::kIo,
               {"x.npy in bad.npz"});
  write_file(folder / "text.npz", "no archive");
  expect_error([&] { (void)open_dataset(folder / "text.npz"); }, ErrorCode::kIo, {"text.npz"});
  for (std::size_t size = 0; size < good.size(); size += 7) {
    write_file(folder / "part.npz", good.substr(0, size));
    EXPECT_THROW((void)open_dataset(folder / "part.npz"), Error) << size;
  }
}

TEST(Arrays, ReadEveryElementType) {
  const TempDir folder;
  const auto floats_of = [&](const std::string& npy) {
    write_file(folder / "a.npy", npy);
    return batch_of(*open_dataset(folder / "a.npy"), {0}).inputs.at("x").to_floats();
  };
  EXPECT_EQ(floats_of(npy_file<std::uint8_t>("|u1", "(1, 2)", {0, 255})), (std::vector<float>{0, 255}));
  EXPECT_EQ(floats_of(npy_file<std::int8_t>("|i1", "(1, 2)", {-3, 7})), (std::vector<float>{-3, 7}));
  EXPECT_EQ(floats_of(npy_file<std::uint16_t>("<u2", "(1, 2)", {1, 65535})), (std::vector<float>{1, 65535}));
  EXPECT_EQ(floats_of(npy_file<std::int16_t>("<i2", "(1, 2)", {-9999, 5})), (std::vector<float>{-9999, 5}));
  EXPECT_EQ(floats_of(npy_file<std::int32_t>("<i4", "(1, 2)", {-1, 70000})), (std::vector<float>{-1, 70000}));
  EXPECT_EQ(floats_of(npy_file<std::int64_t>("<i8", "(1, 2)", {-1, 70000})), (std::vector<float>{-1, 70000}));
  EXPECT_EQ(floats_of(npy_file<float>("<f4", "(1, 2)", {0.5f, -2})), (std::vector<float>{0.5f, -2}));
  EXPECT_EQ(floats_of(npy_file<double>("<f8", "(1, 2)", {0.5, -2})), (std::vector<float>{0.5f, -2}));
  EXPECT_EQ(floats_of(npy_file<std::uint16_t>("<f2", "(1, 2)", {0x3800, 0xc000})), (std::vector<float>{0.5f, -2}));
  EXPECT_EQ(floats_of(npy_file<std::uint8_t>("|b1", "(1, 2)", {1, 0})), (std::vector<float>{1, 0}));
}

TEST(Arrays, RefuseWhatIsNotReadWithTheRemedy) {
  const TempDir folder;
  const auto expect_refused = [&](const std::string& npy, ErrorCode code, std::initializer_list<const char*> parts) {
    write_file(folder / "a.npy", npy);
    expect_error([&] { (void)open_dataset(folder / "a.npy"); }, code, parts);
  };
  expect_refused(npy_file("<f4", "(2, 3)", counting(6), "True"), ErrorCode::kUnsupported,
                 {"a.npy", "fortran_order", "remedy: numpy.ascontiguousarray"});
  expect_refused(npy_file(">f4", "(2, 3)", counting(6)), ErrorCode::kUnsupported, {"big-endian", "remedy"});
  expect_refused(npy_file("<c8", "(2, 3)", counting(12)), ErrorCode::kUnsupported, {"'<c8'", "remedy"});
  expect_refused(npy_file("|O", "(2, 3)", counting(12)), ErrorCode::kUnsupported, {"'|O'"});
  expect_refused(npy_file("<f4", "(2, 4)", counting(6)), ErrorCode::kIo, {"a.npy", "truncated", "24 of 32"});
  expect_refused(npy_file("<f4", "(0, 4)", counting(0)), ErrorCode::kInvalidArgument, {"no samples"});
  expect_refused(npy_file("<f4", "()", counting(1)), ErrorCode::kInvalidArgument, {"single number"});
  expect_refused("\x93NUMPY\1", ErrorCode::kIo, {"a.npy"});
  expect_refused("hello, this is text", ErrorCode::kIo, {"no .npy array"});
}

TEST(Arrays, NameWhatIsMissing) {
  const TempDir folder;
  const DatasetOptions one{.inputs = {input_info("image", {-1, 3, 4, 5})}};
  expect_error([&] { (void)open_npz(folder, {{"x_train.npy", kImages}, {"y.npy", kImages}}, one); },
               ErrorCode::kInvalidArgument, {"no array 'x'", "x_train float32 [2, 3, 4, 5]", "remedy"});
  expect_error([&] { (void)open_npz(folder, {}); }, ErrorCode::kInvalidArgument, {"no arrays"});
  expect_error([&] { (void)open_npz(folder, {{"y.npy", kImages}}); }, ErrorCode::kInvalidArgument, {"no array 'x'"});
  expect_error(
      [&] {
        (void)open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file<std::int32_t>("<i4", "(3,)", {1, 2, 3})}});
      },
      ErrorCode::kInvalidArgument, {"x.npy in d.npz has 2 samples", "[3]"});
  expect_error(
      [&] { (void)open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file<std::int32_t>("<i4", "(2,)", {0, -2})}}); },
      ErrorCode::kInvalidArgument, {"y.npy in d.npz", "label -2 at 1"});
}

TEST(Arrays, GiveSeveralInputsByName) {
  const TempDir folder;
  const Members members = {{"image.npy", kImages}, {"extra.npy", npy_file("<f4", "(2, 4)", counting(8))}};
  const DatasetOptions options{.preprocess = parse_preprocess(R"({"inputs": {"image": {"scale": 0.5}}})"),
                               .inputs = {input_info("image", {-1, 3, 4, 5}), input_info("extra", {-1, 4})}};
  const Batch batch = batch_of(*open_npz(folder, members, options), {1});
  EXPECT_EQ(batch.inputs.size(), 2U);
  EXPECT_EQ(batch.inputs.at("image").data<float>()[2], 31);
  EXPECT_EQ(batch.inputs.at("extra").to_floats(), (std::vector<float>{4, 5, 6, 7}));
  const DatasetOptions wrong{.inputs = {input_info("image", {-1, 3, 4, 5}), input_info("extras", {-1, 4})}};
  expect_error([&] { (void)open_npz(folder, members, wrong); }, ErrorCode::kInvalidArgument, {"no array 'extras'"});
  const DatasetOptions unknown{.preprocess = parse_preprocess(R"({"inputs": {"imag": {}}})"), .inputs = options.inputs};
  expect_error([&] { (void)open_npz(folder, members, unknown); }, ErrorCode::kInvalidArgument,
               {"no input 'imag'", "'image'"});
  expect_error(
      [&] { (void)open_npz(folder, {members[0], {"extra.npy", npy_file("<f4", "(3, 4)", counting(12))}}, options); },
      ErrorCode::kInvalidArgument, {"image.npy in d.npz has 2 samples", "extra.npy in d.npz has 3"});
}

TEST(Arrays, TellMasksFromClassesFromValues) {
  const TempDir folder;
  const auto task_for = [&](const std::string& y) {
    return open_npz(folder, {{"x.npy", kImages}, {"y.npy", y}})->task();
  };
  EXPECT_EQ(task_for(npy_file<std::int64_t>("<i8", "(2, 1)", {0, 1})), Task::kClassification);
  EXPECT_EQ(task_for(npy_file<float>("<f4", "(2,)", {0, 1})), Task::kRegression);
  EXPECT_EQ(task_for(npy_file("<f4", "(2, 4, 5)", counting(40))), Task::kRegression);
  EXPECT_EQ(task_for(npy_file("|u1", "(2, 4, 5)", std::vector<std::uint8_t>(40))), Task::kSegmentation);
  EXPECT_EQ(task_for(npy_file("|u1", "(2, 1, 4, 5)", std::vector<std::uint8_t>(40))), Task::kSegmentation);
  expect_error([&] { (void)task_for(npy_file("|u1", "(2, 7)", std::vector<std::uint8_t>(14))); },
               ErrorCode::kInvalidArgument, {"uint8 [2, 7]", "float32"});
}

TEST(Arrays, GiveMasksAsLabels) {
  const TempDir folder;
  std::vector<std::uint8_t> mask(40);
  mask[20] = 2, mask[21] = 255;
  const auto data = open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file("|u1", "(2, 1, 4, 5)", mask)}});
  const Tensor target = batch_of(*data, {1}).target;
  EXPECT_EQ(target.shape(), (Shape{1, 4, 5}));
  EXPECT_EQ(target.data<std::int64_t>()[0], 2);
  EXPECT_EQ(target.data<std::int64_t>()[1], -1);
}

TEST(Arrays, GiveRegressionTargets) {
  const TempDir folder;
  const auto data =
      open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file<double>("<f8", "(2, 3)", {1, 2, 3, 4, 5, 6})}});
  const Tensor target = batch_of(*data, {1, 0}).target;
  EXPECT_EQ(target.shape(), (Shape{2, 3}));
  EXPECT_EQ(target.to_floats(), (std::vector<float>{4, 5, 6, 1, 2, 3}));
  const auto single = open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file<float>("<f4", "(2,)", {0.5f, 7})}});
  EXPECT_EQ(batch_of(*single, {1}).target.shape(), Shape{1});
}

TEST(Arrays, GiveMapsWithNaNWhereNothingIsKnown) {
  const TempDir folder;
  std::vector<float> y = counting(40);
  y[21] = std::numeric_limits<float>::quiet_NaN();
  for (const char* shape : {"(2, 1, 4, 5)", "(2, 4, 5)", "(2, 4, 5, 1)"}) {
    const auto data = open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file("<f4", shape, y)}});
    EXPECT_EQ(data->task(), Task::kRegression);
    const Tensor target = batch_of(*data, {1}).target;
    EXPECT_EQ(target.element_count(), 20);
    EXPECT_EQ(target.shape().size(), std::string(shape) == "(2, 4, 5)" ? 3U : 4U);
    EXPECT_THAT(target.to_floats(), AllClose(std::vector<float>(y.begin() + 20, y.end())));
  }
}

TEST(Arrays, NodataIsUnknownInTargetsUnlessItIsZero) {
  const TempDir folder;
  std::vector<float> y = counting(40);
  y[3] = -9999;
  for (const double nodata : {-9999.0, 0.0}) {
    const auto data = open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file("<f4", "(2, 4, 5)", y)}},
                               {.preprocess = {.nodata = nodata}});
    const std::vector<float> target = batch_of(*data, {0}).target.to_floats();
    EXPECT_EQ(std::isnan(target[3]), nodata != 0);
    EXPECT_EQ(std::count_if(target.begin(), target.end(), [](float value) { return std::isnan(value); }),
              nodata != 0 ? 1 : 0);
  }
}

TEST(Arrays, TurnHeightWidthChannelsRound) {
  const TempDir folder;
  const Members members = {{"x.npy", npy_file("<f4", "(2, 4, 5, 3)", counting(120))}};
  for (const Shape& wanted : {Shape{-1, 3, 4, 5}, Shape{-1, -1, 4, 5}}) {
    const Batch batch = batch_of(*open_npz(folder, members, {.inputs = {input_info("in", wanted)}}), {0});
    ASSERT_EQ(batch.inputs.at("in").shape(), (Shape{1, 3, 4, 5}));
    EXPECT_EQ(batch.inputs.at("in").data<float>()[1], 3);
    EXPECT_EQ(batch.inputs.at("in").data<float>()[20], 1);
  }
  const Batch same = batch_of(*open_npz(folder, members, {.inputs = {input_info("in", {-1, 4, 5, 3})}}), {0});
  EXPECT_EQ(same.inputs.at("in").shape(), (Shape{1, 4, 5, 3}));
  EXPECT_EQ(same.inputs.at("in").data<float>()[1], 1);
}

TEST(Arrays, KeepSeriesAndFlattenForPerceptrons) {
  const TempDir folder;
  const Members series = {{"x.npy", npy_file("<f4", "(2, 3, 20)", counting(120))}};
  const Batch batch = batch_of(*open_npz(folder, series, {.inputs = {input_info("in", {-1, 3, 20})}}), {0});
  EXPECT_EQ(batch.inputs.at("in").shape(), (Shape{1, 3, 20}));
  const Batch flat = batch_of(*open_npz(folder, {{"x.npy", kImages}}, {.inputs = {input_info("in", {-1, 60})}}), {1});
  EXPECT_EQ(flat.inputs.at("in").shape(), (Shape{1, 60}));
  EXPECT_EQ(flat.inputs.at("in").data<float>()[0], 60);
  const Members features = {{"x.npy", npy_file("<f4", "(2, 60)", counting(120))}};
  const Batch image = batch_of(*open_npz(folder, features, {.inputs = {input_info("in", {-1, 3, 4, 5})}}), {1});
  EXPECT_EQ(image.inputs.at("in").shape(), (Shape{1, 3, 4, 5}));
  expect_error([&] { (void)open_npz(folder, features, {.inputs = {input_info("in", {-1, 61})}}); },
               ErrorCode::kInvalidArgument, {"'in' wants [N, 61]", "60"});
}

TEST(Arrays, ReadNpyWithLabelsBesideAndFolders) {
  const TempDir folder;
  write_file(folder / "x.npy", kImages);
  EXPECT_EQ(open_dataset(folder / "x.npy")->task(), Task::kNone);
  write_file(folder / "y.npy", npy_file<std::int32_t>("<i4", "(2,)", {1, 0}));
  EXPECT_EQ(open_dataset(folder / "x.npy")->task(), Task::kClassification);
  const auto data = open_dataset(folder.path());
  EXPECT_EQ(data->task(), Task::kClassification);
  EXPECT_EQ(data->size(), 2);
}

TEST(Arrays, FingerprintFollowsSamplesAndLabels) {
  const TempDir folder;
  const auto print_of = [&](std::vector<std::int32_t> labels) {
    return open_npz(folder, {{"x.npy", kImages}, {"y.npy", npy_file("<i4", "(2,)", labels)}})->fingerprint();
  };
  EXPECT_EQ(print_of({1, 0}), print_of({1, 0}));
  EXPECT_NE(print_of({1, 0}), print_of({0, 1}));
}

TEST(Arrays, PassIntegersOnUnchanged) {
  const TempDir folder;
  const std::int32_t big = 16777217;  // no float32 holds it
  const Members members = {{"x.npy", npy_file<std::int32_t>("<i4", "(1, 2)", {big, -1})}};
  const Batch batch = batch_of(*open_npz(folder, members, {.inputs = {input_info("in", {-1, 2}, DType::kInt32)}}), {0});
  EXPECT_EQ(batch.inputs.at("in").data<std::int32_t>()[0], big);
  expect_error([&] { (void)open_npz(folder, members, {.inputs = {input_info("in", {-1, 2}, DType::kInt64)}}); },
               ErrorCode::kInvalidArgument, {"is int64", "are int32", "remedy"});
  expect_error(
      [&] {
        (void)open_npz(folder, members,
                       {.preprocess = {.scale = 0.5}, .inputs = {input_info("in", {-1, 2}, DType::kInt32)}});
      },
      ErrorCode::kInvalidArgument, {"scale", "remedy"});
}

}  // namespace
}  // namespace pare::testing
