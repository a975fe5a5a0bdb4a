// Files with one byte changed, or cut somewhere, are read or refused, never more.
#include "data/image.h"
#include "data/samples.h"

namespace pare::testing {
namespace {

/// Opens and reads everything; whether it went well is not asked, only that nothing but Error is thrown.
void read_all(const std::filesystem::path& path) {
  try {
    const auto data = open_dataset(path);
    if (data->size() > 1000) return;
    for (std::int64_t index = 0; index < data->size(); ++index) (void)data->batch(std::span(&index, 1));
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()), "");
  }
}

void damage(const std::string& name, const std::string& good) {
  const TempDir folder;
  const std::size_t step = 1 + good.size() / 150;
  for (std::size_t at = 0; at < good.size(); at += step) {
    for (const unsigned char flip : {0x01, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      write_file(folder / name, bad);
      read_all(folder / name);
    }
    write_file(folder / name, good.substr(0, at));
    read_all(folder / name);
  }
}

TEST(Damage, IsSurvivedByNpy) { damage("a.npy", npy_file<float>("<f4", "(2, 3, 4)", std::vector<float>(24, 1.0f))); }

TEST(Damage, IsSurvivedByNpz) {
  damage("stored.npz", npz_file({{"x.npy", npy_file<float>("<f4", "(2, 3)", std::vector<float>(6, 1.0f))},
                                 {"y.npy", npy_file<std::int32_t>("<i4", "(2,)", {1, 0})}}));
  damage("packed.npz", from_base64(kCompressedNpz));
}

TEST(Damage, IsSurvivedByIdxAndGzip) {
  const std::string good = idx_file({2, 2, 3}, std::string(12, 'x'));
  damage("a-images-idx3-ubyte", good);
  damage("a-images-idx3-ubyte.gz", gzip_file(good));
}

TEST(Damage, IsSurvivedByXz) { damage("a.bin.xz", from_base64(kCifarXz)); }

TEST(Damage, IsSurvivedByImages) {
  if (!data::can_decode_images()) GTEST_SKIP() << "a build without GDAL";
  damage("a.png", png_file({.width = 4, .height = 3, .channels = 3, .pixels = std::string(36, 'x')}));
  damage("a.jpg", from_base64(kGrayJpeg));
}

}  // namespace
}  // namespace pare::testing
