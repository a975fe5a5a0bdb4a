#include "data/tile_grid.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "support/support.h"

namespace pare::testing {
namespace {

using data::make_tiles;
using data::PlaneSize;
using data::Tile;
using data::TileGrid;

std::vector<bool> covered(const TileGrid& grid, const PlaneSize& size, std::size_t raster) {
  std::vector<bool> pixels(static_cast<std::size_t>(size.height * size.width));
  for (const Tile& tile : grid.tiles)
    for (std::int64_t y = 0; tile.raster == raster && y < tile.window.height; ++y)
      for (std::int64_t x = 0; x < tile.window.width; ++x)
        pixels[static_cast<std::size_t>((tile.window.top + y) * size.width + tile.window.left + x)] = true;
  return pixels;
}

TEST(TileGrid, CoversTheRasterWithoutOverlap) {
  const TileGrid grid = make_tiles({{130, 200}, {64, 64}}, {.tile = 64});
  EXPECT_EQ(grid.tiles.size(), 7U);
  EXPECT_EQ(grid.all_tiles, 7);
  std::int64_t pixels = 0;
  for (const bool pixel : covered(grid, {130, 200}, 0)) pixels += pixel;
  EXPECT_EQ(pixels, 6 * 64 * 64);
  EXPECT_EQ(make_tiles({{130, 200}}, {.tile = 64, .step = 32}).tiles.size(), 3U * 5U);
  const TileGrid whole = make_tiles({{130, 200}, {5, 7}}, {});
  ASSERT_EQ(whole.tiles.size(), 2U);
  EXPECT_EQ(whole.tiles[1].window.width, 7);
  EXPECT_NE(whole.tiles[0].block, whole.tiles[1].block);
  EXPECT_THAT(make_tiles({{63, 200}}, {.tile = 64}).tiles, ::testing::IsEmpty());
}

TEST(TileGrid, PartsShareNoPixelAndMeetTheShare) {
  for (const PlaneSize& size : {PlaneSize{352, 349}, PlaneSize{1000, 1000}, PlaneSize{64, 900}, PlaneSize{130, 130}})
    for (const std::int64_t tile : {16, 64})
      for (const std::int64_t step : {std::int64_t{0}, std::int64_t{8}, tile + 5})
        for (const double share : {0.1, 0.25, 0.5}) {
          SCOPED_TRACE(::testing::Message()
                       << size.height << " x " << size.width << " tile " << tile << " step " << step << " " << share);
          const TileGrid train = make_tiles({size}, {.tile = tile, .step = step, .part = "train", .test_share = share});
          const TileGrid test = make_tiles({size}, {.tile = tile, .step = step, .part = "test", .test_share = share});
          const TileGrid all = make_tiles({size}, {.tile = tile, .step = step});
          // Sparse tiles may all miss the few blocks of a small raster.
          ASSERT_TRUE(step > tile || (!train.tiles.empty() && !test.tiles.empty()));
          const std::vector<bool> in_train = covered(train, size, 0), in_test = covered(test, size, 0);
          for (std::size_t i = 0; i < in_train.size(); ++i) ASSERT_FALSE(in_train[i] && in_test[i]);
          const auto both = static_cast<double>(train.tiles.size() + test.tiles.size());
          if (step == 0) {
            EXPECT_EQ(train.tiles.size() + test.tiles.size(), all.tiles.size());
            EXPECT_NEAR(static_cast<double>(test.tiles.size()) / both, share, all.tiles.size() > 20 ? 0.1 : 0.35);
          }
          EXPECT_EQ(train.all_tiles, all.all_tiles);
        }
}

TEST(TileGrid, NeighboursAreMostlyInTheSamePart) {
  const TileGrid test = make_tiles({{64 * 24, 64 * 24}}, {.tile = 64, .part = "test"});
  std::set<std::pair<std::int64_t, std::int64_t>> places;
  for (const Tile& tile : test.tiles) places.emplace(tile.window.top / 64, tile.window.left / 64);
  EXPECT_EQ(test.tiles.size(), 144U);
  std::int64_t sides = 0, shared = 0;
  for (const auto& [row, column] : places)
    for (const auto& [down, right] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 1}, {1, 0}, {0, -1}, {-1, 0}}) {
      ++sides;
      shared += places.contains({row + down, column + right});
    }
  EXPECT_GT(shared, sides * 7 / 10);  // single tiles strewn at random: a quarter
}

TEST(TileGrid, WholeRastersGoToOnePart) {
  const std::vector<PlaneSize> sizes(12, {40, 40});
  const TileGrid train = make_tiles(sizes, {.part = "train"}), test = make_tiles(sizes, {.part = "test"});
  EXPECT_EQ(test.tiles.size(), 3U);
  std::set<std::size_t> rasters;
  for (const TileGrid& grid : {train, test})
    for (const Tile& tile : grid.tiles) rasters.insert(tile.raster);
  EXPECT_EQ(rasters.size(), 12U);
  expect_error([] { (void)make_tiles({{40, 40}}, {.part = "test"}); }, ErrorCode::kInvalidArgument,
               {"two tiles", "remedy"});
}

}  // namespace
}  // namespace pare::testing
