#include "core/random.h"

#include <cmath>

namespace pare {

double Rng::normal() {
  while (true) {
    const double u = uniform(-1, 1), v = uniform(-1, 1), s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

}  // namespace pare
