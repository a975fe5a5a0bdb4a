// Draws small satellite scenes to classify: 32 x 32 pixels, bands blue, green, red, near infrared as reflectance times
// 10,000 (uint16, as the agencies deliver it), and what covers most of each scene.
//
//   draw_scenes FOLDER [--train N] [--test N] [--seed N]
//
// writes train.npz and test.npz (x [N, 4, 32, 32], y [N]) and preprocess.json, and prints how far one gets without a
// network: by the nearest mean of the four bands. The classes share their colours; rows, crowns and blocks tell them
// apart, at any angle, under haze, thin clouds and different light, with up to four tenths of something else beside.
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

constexpr int kSide = 32, kBands = 4;
constexpr std::size_t kPixels = kSide * kSide;
constexpr double kStored = 10000;  // of reflectance 1

enum Cover { kWater, kForest, kRows, kUrban, kSoil, kCloud, kClasses };
constexpr std::array<const char*, kClasses> kNames = {"water",        "forest",    "crop rows",
                                                      "urban blocks", "bare soil", "cloud"};

using Spectrum = std::array<double, kBands>;
constexpr Spectrum kClearWater = {0.06, 0.05, 0.03, 0.02}, kTurbidWater = {0.09, 0.11, 0.11, 0.06};
constexpr Spectrum kCanopy = {0.03, 0.06, 0.035, 0.30}, kGreenCrop = {0.04, 0.08, 0.05, 0.36};
constexpr Spectrum kDrySoil = {0.10, 0.13, 0.17, 0.24}, kDarkSoil = {0.06, 0.08, 0.10, 0.14};
constexpr Spectrum kRoof = {0.16, 0.17, 0.18, 0.20}, kTile = {0.09, 0.11, 0.19, 0.23},
                   kStreet = {0.09, 0.09, 0.09, 0.10};

Spectrum between(const Spectrum& a, const Spectrum& b, double share) {
  Spectrum out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = mix(a[i], b[i], share);
  return out;
}

/// Bands whose pixel (y, x) has the spectrum paint(y, x).
template <class Paint>
Bands painted(Paint paint) {
  Bands bands(kBands, Field(kSide));
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const Spectrum spectrum = paint(y, x);
      for (std::size_t band = 0; band < kBands; ++band) bands[band].at(y, x) = spectrum[band];
    }
  return bands;
}

Bands draw_water(Random& random) {
  const Field plume = noise(random, kSide, 16);
  const double turbid = random.uniform(-0.3, 1);
  return painted([&](int y, int x) { return between(kClearWater, kTurbidWater, turbid + 0.2 * plume.at(y, x)); });
}

Spectrum some_soil(Random& random) { return between(kDarkSoil, kDrySoil, random.uniform(0, 1.0)); }

Bands draw_soil(Random& random) {
  const Spectrum soil = some_soil(random);
  const double weeds = random.uniform(-0.2, 0.7), spots = random.uniform(0.05, 0.35);
  const Field wide = noise(random, kSide, 11), fine = noise(random, kSide, 2.5);
  return painted([&](int y, int x) {
    Spectrum spectrum = between(soil, kGreenCrop, weeds + spots * wide.at(y, x));
    for (double& value : spectrum) value *= 1 + 0.06 * fine.at(y, x);
    return spectrum;
  });
}

Bands draw_forest(Random& random) {
  const Field crowns = noise(random, kSide, random.uniform(1.8, 3.5)), stands = noise(random, kSide, 12);
  const double leaves = random.uniform(0.4, 1.2), shade = random.uniform(0.10, 0.30);
  const Spectrum ground = some_soil(random);
  return painted([&](int y, int x) {
    Spectrum spectrum = between(ground, kCanopy, leaves + 0.15 * stands.at(y, x));
    for (double& value : spectrum) value *= std::max(0.3, 1 + shade * crowns.at(y, x));
    return spectrum;
  });
}

Bands draw_rows(Random& random) {
  const double period = random.uniform(2.6, 6.5), growth = random.uniform(0.15, 0.85);
  const double contrast = random.uniform(0.10, 0.45);
  const Axis across(random.uniform(0, std::numbers::pi), random.uniform(0, 10));
  const Spectrum soil = some_soil(random);
  const Field wide = noise(random, kSide, 11), fine = noise(random, kSide, 2);
  return painted([&](int y, int x) {
    const double wave = std::sin(2 * std::numbers::pi * (across(y, x) + 0.4 * wide.at(y, x)) / period);
    Spectrum spectrum = between(soil, kGreenCrop, growth + contrast * wave + 0.1 * wide.at(y, x));
    for (double& value : spectrum) value *= 1 + 0.06 * fine.at(y, x);
    return spectrum;
  });
}

Bands draw_urban(Random& random) {
  const double angle = random.uniform(0, std::numbers::pi / 2), block = random.uniform(5, 10);
  const double street = random.uniform(1.0, 2.2), gardens = random.uniform(0, 0.7);
  const Axis across(angle, 40 + random.uniform(0, 9)), along(angle + std::numbers::pi / 2, 80 + random.uniform(0, 9));
  Field tone(32), kind(32);
  tone.fill([&](int, int) { return random.uniform(0.7, 1.3); });
  kind.fill([&](int, int) { return random.uniform(); });
  const double tiles = random.uniform();
  return painted([&](int y, int x) {
    const double u = across(y, x), v = along(y, x);
    if (std::fmod(u, block) < street || std::fmod(v, 1.4 * block) < street) return kStreet;
    const int row = static_cast<int>(u / block) % 32, column = static_cast<int>(v / (1.4 * block)) % 32;
    Spectrum spectrum = kind.at(row, column) < gardens ? between(kDrySoil, kGreenCrop, tone.at(column, row) - 0.4)
                                                       : between(kRoof, kTile, tiles + tone.at(column, row) - 1);
    for (double& value : spectrum) value *= tone.at(row, column);
    return spectrum;
  });
}

Bands draw_cover(Random& random, int cover) {
  switch (cover) {
    case kWater:
      return draw_water(random);
    case kForest:
      return draw_forest(random);
    case kRows:
      return draw_rows(random);
    case kUrban:
      return draw_urban(random);
    default:
      return draw_soil(random);
  }
}

/// The part of the values that `share` of all lie below.
double quantile(const Field& field, double share) {
  std::vector<double> sorted = field.values();
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// `over` on `share` of the pixels, behind a wavy border.
void lay_over(Random& random, Bands& bands, const Bands& over, double share) {
  const Axis across(random.uniform(0, 2 * std::numbers::pi), 0);
  Field place = noise(random, kSide, 9);
  const Field wave = place;
  place.fill([&](int y, int x) { return across(y - kSide / 2, x - kSide / 2) + 3 * wave.at(y, x); });
  const double border = quantile(place, share);
  for (std::size_t band = 0; band < kBands; ++band)
    bands[band].fill([&](int y, int x) {
      return mix(over[band].at(y, x), bands[band].at(y, x), 0.5 + (place.at(y, x) - border) / 1.5);
    });
}

/// Clouds over `share` of the pixels, at most `thickest` opaque.
void add_clouds(Random& random, Bands& bands, double share, double thickest) {
  Field height = noise(random, kSide, 12);
  const Field wide = height, fine = noise(random, kSide, 4);
  height.fill([&](int y, int x) { return wide.at(y, x) + 0.3 * fine.at(y, x); });
  const double border = quantile(height, 1 - share);
  const double white = random.uniform(0.35, 0.6);
  for (std::size_t band = 0; band < kBands; ++band)
    bands[band].fill([&](int y, int x) {
      const double opaque = thickest * drawing::step(border - 0.2, border + 0.5, height.at(y, x));
      return mix(bands[band].at(y, x), white * (band == 3 ? 1.08 : 1) * (1 + 0.05 * fine.at(y, x)), opaque);
    });
}

/// Light, haze, the blur of the optics and the noise of the sensor.
void look_through_air(Random& random, Bands& bands) {
  const double light = std::exp(random.normal(0.22)), haze = std::abs(random.normal(0.03));
  const double noise_level = random.uniform(0.003, 0.012), sharp = random.uniform(3, 14);
  const Axis slope(random.uniform(0, 2 * std::numbers::pi), 0);
  const double tilt = random.normal(0.006);
  constexpr Spectrum kHaze = {1.0, 0.75, 0.55, 0.3};
  for (std::size_t band = 0; band < kBands; ++band) {
    const double gain = light * (1 + random.normal(0.04));
    drawing::blur(bands[band], sharp);
    const Field before = bands[band];
    bands[band].fill([&](int y, int x) {
      const double shine = gain * (1 + tilt * slope(y - kSide / 2, x - kSide / 2));
      return before.at(y, x) * shine + haze * kHaze[band] + random.normal(noise_level);
    });
  }
}

Bands draw_scene(Random& random, int cover) {
  const int ground = cover == kCloud ? random.below(kCloud) : cover;
  Bands bands = draw_cover(random, ground);
  if (random.uniform() < 0.6) {
    const int other = (ground + 1 + random.below(kCloud - 1)) % kCloud;
    lay_over(random, bands, draw_cover(random, other), random.uniform(0.1, 0.42));
  }
  if (cover == kCloud)
    add_clouds(random, bands, random.uniform(0.45, 1.0), random.uniform(0.55, 1.0));
  else if (random.uniform() < 0.3)
    add_clouds(random, bands, random.uniform(0.05, 0.4), random.uniform(0.2, 0.8));
  look_through_air(random, bands);
  return bands;
}

struct Scenes {
  std::vector<std::uint16_t> x;
  std::vector<std::uint8_t> y;
};

Scenes draw(Random& random, int count) {
  Scenes scenes;
  for (int i = 0; i < count; ++i) {
    const int cover = i % kClasses;
    for (const Field& band : draw_scene(random, cover))
      for (const double value : band.values())
        scenes.x.push_back(static_cast<std::uint16_t>(std::lround(std::clamp(value, 0.0, 2.0) * kStored)));
    scenes.y.push_back(static_cast<std::uint8_t>(cover));
  }
  return scenes;
}

void write(const std::string& path, const Scenes& scenes) {
  const auto count = static_cast<std::int64_t>(scenes.y.size());
  drawing::write_npz(
      path, {{"x", drawing::npy({count, kBands, kSide, kSide}, scenes.x)}, {"y", drawing::npy({count}, scenes.y)}});
}

Spectrum band_means(const Scenes& scenes, std::size_t index) {
  Spectrum means{};
  for (std::size_t band = 0; band < kBands; ++band)
    for (std::size_t i = 0; i < kPixels; ++i)
      means[band] += scenes.x[(index * kBands + band) * kPixels + i] / (kStored * kPixels);
  return means;
}

/// The share of test scenes whose band means lie nearest to those of their own class.
double nearest_mean(const Scenes& train, const Scenes& test) {
  std::array<Spectrum, kClasses> centres{};
  std::array<double, kClasses> counts{};
  for (std::size_t i = 0; i < train.y.size(); ++i) {
    const Spectrum means = band_means(train, i);
    for (std::size_t band = 0; band < kBands; ++band) centres[train.y[i]][band] += means[band];
    ++counts[train.y[i]];
  }
  for (std::size_t c = 0; c < kClasses; ++c)
    for (double& value : centres[c]) value /= counts[c];
  double right = 0;
  for (std::size_t i = 0; i < test.y.size(); ++i) {
    const Spectrum means = band_means(test, i);
    double best = std::numeric_limits<double>::max();
    std::size_t nearest = 0;
    for (std::size_t c = 0; c < kClasses; ++c) {
      double distance = 0;
      for (std::size_t band = 0; band < kBands; ++band)
        distance += (means[band] - centres[c][band]) * (means[band] - centres[c][band]);
      if (distance < best) best = distance, nearest = c;
    }
    right += nearest == test.y[i] ? 1 : 0;
  }
  return right / static_cast<double>(test.y.size());
}

void run(const drawing::Words& words) {
  const std::filesystem::path folder = words.folder;
  std::filesystem::create_directories(folder);
  Random train_random(static_cast<std::uint64_t>(words.seed)),
      test_random(static_cast<std::uint64_t>(words.seed) << 32);
  const Scenes train = draw(train_random, words.train), test = draw(test_random, words.test);
  write((folder / "train.npz").string(), train);
  write((folder / "test.npz").string(), test);
  std::ofstream out(folder / "preprocess.json");
  out << drawing::preprocess_json(train.x, kBands, kPixels, 1 / kStored);
  if (!out.flush()) throw std::runtime_error("cannot write preprocess.json");
  std::printf("%d scenes in train.npz, %d in test.npz: x uint16 [N, 4, 32, 32], y uint8 [N]\nclasses", words.train,
              words.test);
  for (std::size_t c = 0; c < kClasses; ++c) std::printf("%s %zu %s", c > 0 ? "," : "", c, kNames[c]);
  std::printf("\nnearest mean of the bands: %.1f %% right\n", 100 * nearest_mean(train, test));
}

}  // namespace

int main(int count, char** words) {
  return drawing::guarded("draw_scenes FOLDER [--train N] [--test N] [--seed N]",
                          [&] { run(drawing::parse_words(count, words, 6000, 1500)); });
}
