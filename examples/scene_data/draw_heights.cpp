// Draws land seen from above and how high its plants are: five bands (blue, green, red, near and short-wave infrared,
// reflectance) of 64 x 64 pixels, and a map of heights in metres, NaN where the laser that measured them saw nothing.
//
//   draw_heights FOLDER [--train N] [--test N] [--seed N]
//
// writes train.npz and test.npz (x float32 [N, 5, 64, 64], y float32 [N, 1, 64, 64]) and preprocess.json, and prints
// how far one gets pixel by pixel with a linear fit of the bands. Colours tell grass from trees and saturate above 15
// metres; from there on only the size of the crowns and the depth of their shadows say more.
#include <array>
#include <filesystem>
#include <limits>

#include "drawing.h"
#include "npz_file.h"

namespace {

using drawing::Axis;
using drawing::Bands;
using drawing::Field;
using drawing::mix;
using drawing::noise;
using drawing::Random;

constexpr int kSide = 64, kBands = 5;
constexpr std::size_t kPixels = kSide * kSide;
constexpr double kHighest = 38;

using Spectrum = std::array<double, kBands>;
constexpr Spectrum kSoil = {0.09, 0.12, 0.16, 0.23, 0.30}, kGrass = {0.04, 0.09, 0.05, 0.36, 0.20};
constexpr Spectrum kConifer = {0.025, 0.04, 0.03, 0.22, 0.09}, kBroadleaf = {0.03, 0.06, 0.035, 0.36, 0.14};

struct Tile {
  Bands bands;
  Field height{kSide};
};

/// Stands of trees of slowly changing height between open land.
Field draw_height(Random& random) {
  const Field stands = noise(random, kSide, random.uniform(14, 26)),
              growth = noise(random, kSide, random.uniform(10, 20));
  const double wooded = random.uniform(-0.6, 1.0), age = random.uniform(8, 26);
  Field height(kSide);
  height.fill([&](int y, int x) {
    const double inside = drawing::step(-0.15, 0.35, stands.at(y, x) + wooded);
    return inside * std::clamp(age + 6 * growth.at(y, x), 2.0, kHighest);
  });
  drawing::blur(height, 1);
  return height;
}

Tile draw_tile(Random& random) {
  Tile tile;
  tile.height = draw_height(random);
  const Field young = noise(random, kSide, 2), middle = noise(random, kSide, 3.5), old = noise(random, kSide, 5.5);
  const Field species = noise(random, kSide, 18), meadow = noise(random, kSide, 15), fine = noise(random, kSide, 1.5);
  const double conifers = random.normal(0.7), green = random.uniform(0.2, 1.0);
  const double light = std::exp(random.normal(0.12)), haze = std::abs(random.normal(0.012));
  const Axis slope(random.uniform(0, 2 * std::numbers::pi), 0);
  const double tilt = random.normal(0.003);
  tile.bands.assign(kBands, Field(kSide));
  for (std::size_t band = 0; band < kBands; ++band) {
    const double gain = light * (1 + random.normal(0.03));
    tile.bands[band].fill([&](int y, int x) {
      const double height = tile.height.at(y, x), age = height / kHighest;
      const double open = mix(kSoil[band], kGrass[band], green + 0.35 * meadow.at(y, x)) * (1 + 0.04 * fine.at(y, x));
      const double leaf = mix(kConifer[band], kBroadleaf[band], 0.5 + species.at(y, x) + conifers);
      // Crowns grow with the trees, and so does the depth of the shadows between them.
      const double crowns = age < 0.4 ? mix(young.at(y, x), middle.at(y, x), age / 0.4)
                                      : mix(middle.at(y, x), old.at(y, x), (age - 0.4) / 0.5);
      const double shaded = std::max(0.25, 1 + (0.06 + 0.45 * age) * crowns - 0.15 * age);
      const double closed = 1 - std::exp(-height / 5);  // saturates: nothing more is seen of the ground
      const double seen = mix(open, leaf * shaded, closed);
      const double shine = gain * (1 + tilt * slope(y - kSide / 2, x - kSide / 2));
      return seen * shine + haze * (1 - 0.18 * static_cast<double>(band)) + random.normal(0.004);
    });
    drawing::blur(tile.bands[band], 12);
  }
  return tile;
}

/// Whole tracks that the laser missed, and spots under cloud.
void lose_pixels(Random& random, Field& height) {
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const Field cloud = noise(random, kSide, 10);
  const double border = random.uniform(1.6, 3);
  const Axis track(random.uniform(0, std::numbers::pi), random.uniform(0, 40));
  const double apart = random.uniform(18, 60), broad = random.uniform(0, 2);
  const Field before = height;
  height.fill([&](int y, int x) {
    const bool lost = cloud.at(y, x) > border || std::fmod(track(y, x) + 640, apart) < broad;
    return lost ? nothing : before.at(y, x);
  });
}

struct Tiles {
  std::vector<float> x, y;
};

Tiles draw(Random& random, int count) {
  Tiles tiles;
  for (int i = 0; i < count; ++i) {
    Tile tile = draw_tile(random);
    lose_pixels(random, tile.height);
    for (const Field& band : tile.bands)
      for (const double value : band.values()) tiles.x.push_back(static_cast<float>(value));
    for (const double value : tile.height.values()) tiles.y.push_back(static_cast<float>(value));
  }
  return tiles;
}

void write(const std::string& path, const Tiles& tiles) {
  const auto count = static_cast<std::int64_t>(tiles.y.size() / kPixels);
  drawing::write_npz(path, {{"x", drawing::npy({count, kBands, kSide, kSide}, tiles.x)},
                            {"y", drawing::npy({count, 1, kSide, kSide}, tiles.y)}});
}

constexpr std::size_t kTerms = kBands + 1;
using Terms = std::array<double, kTerms>;

Terms terms_of(const Tiles& tiles, std::size_t pixel) {
  Terms terms{};
  terms[kBands] = 1;
  for (std::size_t band = 0; band < kBands; ++band)
    terms[band] = tiles.x[(pixel / kPixels * kBands + band) * kPixels + pixel % kPixels];
  return terms;
}

/// Least squares of the height on the bands of its pixel, by the normal equations.
Terms linear_fit(const Tiles& tiles) {
  std::array<std::array<double, kTerms + 1>, kTerms> rows{};
  for (std::size_t pixel = 0; pixel < tiles.y.size(); ++pixel) {
    if (std::isnan(tiles.y[pixel])) continue;
    const Terms terms = terms_of(tiles, pixel);
    for (std::size_t i = 0; i < kTerms; ++i) {
      for (std::size_t j = 0; j < kTerms; ++j) rows[i][j] += terms[i] * terms[j];
      rows[i][kTerms] += terms[i] * static_cast<double>(tiles.y[pixel]);
    }
  }
  for (std::size_t i = 0; i < kTerms; ++i)  // positive definite: no pivots needed
    for (std::size_t k = 0; k < kTerms; ++k) {
      if (k == i) continue;
      const double factor = rows[k][i] / rows[i][i];
      for (std::size_t j = i; j <= kTerms; ++j) rows[k][j] -= factor * rows[i][j];
    }
  Terms weights{};
  for (std::size_t i = 0; i < kTerms; ++i) weights[i] = rows[i][kTerms] / rows[i][i];
  return weights;
}

struct Fit {
  double error = 0, deviation = 0, lost = 0;  ///< metres, metres, share of pixels
};

Fit judge(const Tiles& tiles, const Terms& weights) {
  double squares = 0, sum = 0, sum_squares = 0, count = 0;
  for (std::size_t pixel = 0; pixel < tiles.y.size(); ++pixel) {
    const double truth = tiles.y[pixel];
    if (std::isnan(truth)) continue;
    const Terms terms = terms_of(tiles, pixel);
    double guess = 0;
    for (std::size_t i = 0; i < kTerms; ++i) guess += weights[i] * terms[i];
    squares += (guess - truth) * (guess - truth);
    sum += truth, sum_squares += truth * truth, ++count;
  }
  const double mean = sum / count;
  return {std::sqrt(squares / count), std::sqrt(sum_squares / count - mean * mean),
          1 - count / static_cast<double>(tiles.y.size())};
}

void run(const drawing::Words& words) {
  const std::filesystem::path folder = words.folder;
  std::filesystem::create_directories(folder);
  Random train_random(static_cast<std::uint64_t>(words.seed)),
      test_random(static_cast<std::uint64_t>(words.seed) << 32);
  const Tiles train = draw(train_random, words.train), test = draw(test_random, words.test);
  write((folder / "train.npz").string(), train);
  write((folder / "test.npz").string(), test);
  std::ofstream out(folder / "preprocess.json");
  out << drawing::preprocess_json(train.x, kBands, kPixels, 1);
  if (!out.flush()) throw std::runtime_error("cannot write preprocess.json");
  const Fit fit = judge(test, linear_fit(train));
  std::printf(
      "%d tiles in train.npz, %d in test.npz: x float32 [N, 5, 64, 64], y float32 [N, 1, 64, 64] in metres\n"
      "without a height (NaN): %.1f %% of the pixels\n"
      "heights have a deviation of %.2f m; a linear fit of the bands has an RMSE of %.2f m\n",
      words.train, words.test, 100 * fit.lost, fit.deviation, fit.error);
}

}  // namespace

int main(int count, char** words) {
  return drawing::guarded("draw_heights FOLDER [--train N] [--test N] [--seed N]",
                          [&] { run(drawing::parse_words(count, words, 400, 100)); });
}
