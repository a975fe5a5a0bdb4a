// random.h - the one random source; the same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>
#include <random>

namespace pare {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t bits() { return engine_(); }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform in [0, bound), bound > 0 (the bias of at most bound / 2^64 is of no matter here).
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(bound));
  }
  /// Standard normal (Marsaglia's polar method; std::normal_distribution differs between standard libraries).
  double normal();

 private:
  std::mt19937_64 engine_;
};

}  // namespace pare
