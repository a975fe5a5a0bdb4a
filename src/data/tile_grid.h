// tile_grid.h - where the tiles of some rasters lie, and which of them train and which test.
#pragma once

#include <string>
#include <vector>

#include "data/raster.h"
#include "data/resize.h"

namespace pare::data {

struct TileOptions {
  std::int64_t tile = 0;  ///< 0: each raster is one tile
  std::int64_t step = 0;  ///< 0: `tile`
  std::string part = {};  ///< "train", "test", "" (all)
  double test_share = 0.25;
};

struct Tile {
  std::size_t raster = 0;
  Window window;
  std::int64_t block = 0;  ///< the block of its upper left corner
};

struct TileGrid {
  std::vector<Tile> tiles;     ///< of the part
  std::int64_t all_tiles = 0;  ///< of every part, and those that lie across
};

/// Each raster is divided into square blocks of several tiles, up to six along its longer side; blocks are given to
/// test in random order (always the same) as long as that brings the number of tiles nearer to the share. A tile
/// that touches a test block is not in train, one that touches any other block not in test. Throws
/// Error(kInvalidArgument) if there are too few tiles for two parts.
[[nodiscard]] TileGrid make_tiles(const std::vector<PlaneSize>& rasters, const TileOptions& options);

}  // namespace pare::data
