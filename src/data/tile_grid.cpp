#include "data/tile_grid.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "pare/split.h"

namespace pare::data {
namespace {

constexpr std::int64_t kMostBlocksAlong = 6, kLeastTilesAlong = 2;

/// The blocks of one raster: rows x columns of `side` pixels, the last ones with what is left.
struct Blocks {
  std::int64_t first = 0;  ///< number of the upper left one
  std::int64_t rows = 1, columns = 1, side = 1;
  std::int64_t tile_rows = 1, tile_columns = 1;  ///< without overlap
  std::int64_t tiles_along = 1;                  ///< of a block

  [[nodiscard]] std::int64_t row_of(std::int64_t pixel) const { return std::min(pixel / side, rows - 1); }
  [[nodiscard]] std::int64_t column_of(std::int64_t pixel) const { return std::min(pixel / side, columns - 1); }
  [[nodiscard]] std::int64_t number(std::int64_t row, std::int64_t column) const {
    return first + row * columns + column;
  }
};

Blocks divide(PlaneSize size, std::int64_t tile, std::int64_t least_along, std::int64_t first) {
  if (tile == 0) return {.first = first, .side = std::max(size.height, size.width)};
  Blocks blocks{.first = first, .tile_rows = size.height / tile, .tile_columns = size.width / tile};
  const std::int64_t longer = std::max(blocks.tile_rows, blocks.tile_columns);
  blocks.tiles_along = std::max(least_along, (longer + kMostBlocksAlong - 1) / kMostBlocksAlong);
  blocks.side = blocks.tiles_along * tile;
  blocks.rows = (blocks.tile_rows + blocks.tiles_along - 1) / blocks.tiles_along;
  blocks.columns = (blocks.tile_columns + blocks.tiles_along - 1) / blocks.tiles_along;
  return blocks;
}

std::vector<Blocks> divide_all(const std::vector<PlaneSize>& rasters, const TileOptions& options) {
  // Small rasters: blocks of one tile if there are too few larger ones to meet the share.
  const auto wanted = static_cast<std::int64_t>(std::ceil(1 / std::min(options.test_share, 1 - options.test_share)));
  std::vector<Blocks> all;
  for (const std::int64_t least_along : {kLeastTilesAlong, std::int64_t{1}}) {
    all.clear();
    std::int64_t count = 0;
    for (const PlaneSize& size : rasters) {
      all.push_back(divide(size, options.tile, least_along, count));
      count += all.back().rows * all.back().columns;
    }
    if (count >= wanted) break;
  }
  return all;
}

std::vector<bool> choose_test(const std::vector<Blocks>& rasters, double share) {
  std::vector<std::int64_t> tiles;  // of each block
  std::int64_t total = 0, taken = 0;
  for (const Blocks& blocks : rasters)
    for (std::int64_t row = 0; row < blocks.rows; ++row)
      for (std::int64_t column = 0; column < blocks.columns; ++column) {
        const std::int64_t along = blocks.tiles_along;
        tiles.push_back(std::min(along, blocks.tile_rows - row * along) *
                        std::min(along, blocks.tile_columns - column * along));
        total += tiles.back();
      }
  if (tiles.size() < 2)
    fail(ErrorCode::kInvalidArgument,
         "preprocess: 'part' needs two tiles or more, there is {}\n  remedy: a smaller 'tile'", tiles.size());
  const double wanted = share * static_cast<double>(total);
  std::vector<bool> test(tiles.size());
  const auto order = shuffled_indices(static_cast<std::int64_t>(tiles.size()), 0, 0);
  std::int64_t blocks_taken = 0;
  for (const std::int64_t block : order) {
    const std::int64_t more = taken + tiles[static_cast<std::size_t>(block)];
    const bool nearer = std::abs(static_cast<double>(more) - wanted) < std::abs(static_cast<double>(taken) - wanted);
    if (!nearer || blocks_taken + 1 == static_cast<std::int64_t>(tiles.size())) continue;
    test[static_cast<std::size_t>(block)] = true;
    taken = more;
    ++blocks_taken;
  }
  if (blocks_taken == 0) test[static_cast<std::size_t>(order[0])] = true;
  return test;
}

bool belongs(const Blocks& blocks, const Window& window, const std::vector<bool>& test, bool to_test) {
  for (std::int64_t row = blocks.row_of(window.top); row <= blocks.row_of(window.top + window.height - 1); ++row)
    for (std::int64_t column = blocks.column_of(window.left);
         column <= blocks.column_of(window.left + window.width - 1); ++column)
      if (test[static_cast<std::size_t>(blocks.number(row, column))] != to_test) return false;
  return true;
}

}  // namespace

TileGrid make_tiles(const std::vector<PlaneSize>& rasters, const TileOptions& options) {
  const std::vector<Blocks> blocks = divide_all(rasters, options);
  const std::vector<bool> test = options.part.empty() ? std::vector<bool>{} : choose_test(blocks, options.test_share);
  TileGrid grid;
  for (std::size_t i = 0; i < rasters.size(); ++i) {
    const std::int64_t height = options.tile > 0 ? options.tile : rasters[i].height;
    const std::int64_t width = options.tile > 0 ? options.tile : rasters[i].width;
    const std::int64_t down = options.step > 0 ? options.step : height, right = options.step > 0 ? options.step : width;
    for (std::int64_t top = 0; top + height <= rasters[i].height; top += down)
      for (std::int64_t left = 0; left + width <= rasters[i].width; left += right) {
        ++grid.all_tiles;
        const Window window{top, left, height, width};
        if (!test.empty() && !belongs(blocks[i], window, test, options.part == "test")) continue;
        grid.tiles.push_back({i, window, blocks[i].number(blocks[i].row_of(top), blocks[i].column_of(left))});
      }
  }
  return grid;
}

}  // namespace pare::data
