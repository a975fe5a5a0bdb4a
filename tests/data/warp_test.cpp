#include "data/warp.h"

#include <cstring>
#include <vector>

#include "support/support.h"

namespace pare::testing {
namespace {

using data::Planes;
using data::turn_and_flip;
using data::Warp;

/// The same in separate, obvious steps on numbered pixels: border, window, turns, flips; -1 is the border.
struct Picture {
  std::int64_t height = 0, width = 0;
  std::vector<std::int64_t> pixels = {};
  [[nodiscard]] std::int64_t at(std::int64_t y, std::int64_t x) const {
    return pixels[static_cast<std::size_t>(y * width + x)];
  }
  template <class F>
  [[nodiscard]] static Picture of(std::int64_t height, std::int64_t width, F pixel) {
    Picture made{height, width};
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) made.pixels.push_back(pixel(y, x));
    return made;
  }
};

Picture window(const Picture& in, std::int64_t down, std::int64_t right, bool reflect) {
  const auto mirrored = [](std::int64_t i, std::int64_t size) { return i < 0 ? -i : i >= size ? 2 * size - 2 - i : i; };
  return Picture::of(in.height, in.width, [&](std::int64_t y, std::int64_t x) {
    const std::int64_t from_y = y + down, from_x = x + right;
    const bool inside = from_y >= 0 && from_y < in.height && from_x >= 0 && from_x < in.width;
    if (!inside && !reflect) return std::int64_t{-1};
    return in.at(mirrored(from_y, in.height), mirrored(from_x, in.width));
  });
}
Picture quarter_turn(const Picture& in) {  // against the clock: the last column becomes the first row
  return Picture::of(in.width, in.height, [&](std::int64_t y, std::int64_t x) { return in.at(x, in.width - 1 - y); });
}
Picture mirrored(const Picture& in) {
  return Picture::of(in.height, in.width, [&](std::int64_t y, std::int64_t x) { return in.at(y, in.width - 1 - x); });
}
Picture upside_down(const Picture& in) {
  return Picture::of(in.height, in.width, [&](std::int64_t y, std::int64_t x) { return in.at(in.height - 1 - y, x); });
}

/// Every byte of every cell tells where it comes from.
std::byte byte_of(std::int64_t plane, std::int64_t pixel, std::int64_t position) {
  return static_cast<std::byte>(pixel < 0 ? 200 + plane : (31 * plane + 7 * pixel + 3 * position) % 199);
}

void expect_warped(const Planes& planes, const Warp& how, const Picture& expected) {
  std::vector<std::byte> in, fill, out(static_cast<std::size_t>(planes.size_bytes()));
  for (std::int64_t plane = 0; plane < planes.count; ++plane) {
    for (std::int64_t pixel = 0; pixel < planes.height * planes.width; ++pixel)
      for (std::int64_t i = 0; i < planes.cell; ++i) in.push_back(byte_of(plane, pixel, i));
    for (std::int64_t i = 0; i < planes.cell; ++i) fill.push_back(byte_of(plane, -1, i));
  }
  data::warp(planes, how, fill, in.data(), out.data());
  std::size_t at = 0;
  for (std::int64_t plane = 0; plane < planes.count; ++plane)
    for (const std::int64_t pixel : expected.pixels)
      for (std::int64_t i = 0; i < planes.cell; ++i, ++at)
        ASSERT_EQ(out[at], byte_of(plane, pixel, i)) << "byte " << at << " of cells of " << planes.cell;
}

Picture numbered(std::int64_t height, std::int64_t width) {
  return Picture::of(height, width, [&](std::int64_t y, std::int64_t x) { return y * width + x; });
}

TEST(Warp, IsBorderWindowTurnsAndFlipsInThatOrder) {
  for (const std::int64_t size : {5, 19})
    for (const std::int64_t quarters : {0, 1, 2, 3})
      for (const int flips : {0, 1, 2, 3})
        for (const auto& [down, right] :
             std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 0}, {2, -1}, {-3, 0}, {0, 4}, {-4, -4}})
          for (const bool reflect : {false, true}) {
            SCOPED_TRACE(::testing::Message() << size << " quarters " << quarters << " flips " << flips << " down "
                                              << down << " right " << right << " reflect " << reflect);
            Picture expected = window(numbered(size, size), down, right, reflect);
            for (std::int64_t i = 0; i < quarters; ++i) expected = quarter_turn(expected);
            if ((flips & 1) != 0) expected = mirrored(expected);
            if ((flips & 2) != 0) expected = upside_down(expected);
            Warp how = turn_and_flip(quarters, (flips & 1) != 0, (flips & 2) != 0);
            how.down = down, how.right = right, how.reflect = reflect;
            expect_warped({2, size, size, 4}, how, expected);
          }
}

TEST(Warp, MovesCellsOfEverySize) {
  for (const std::int64_t cell : {1, 2, 3, 4, 5, 8, 12, 16, 52}) {
    Warp flipped = turn_and_flip(0, true, false), turned = turn_and_flip(1, false, false);
    flipped.down = 1, flipped.right = -2;
    expect_warped({3, 6, 6, cell}, flipped, mirrored(window(numbered(6, 6), 1, -2, false)));
    expect_warped({3, 6, 6, cell}, turned, quarter_turn(numbered(6, 6)));
  }
}

TEST(Warp, TakesOblongImagesUnlessTurned) {
  Warp how = turn_and_flip(0, true, true);
  how.down = 2, how.right = 3, how.reflect = true;
  expect_warped({1, 4, 7, 4}, how, upside_down(mirrored(window(numbered(4, 7), 2, 3, true))));
}

}  // namespace
}  // namespace pare::testing
