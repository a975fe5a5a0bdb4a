#include "factorize/choose_ranks.h"

#include <algorithm>

namespace pare {
namespace {

RankChoice at_multiplier(const std::vector<std::vector<RankOption>>& layers, double mu) {
  RankChoice choice;
  for (const std::vector<RankOption>& options : layers) {
    const auto best = std::min_element(options.begin(), options.end(), [&](const RankOption& a, const RankOption& b) {
      return a.error + mu * a.cost < b.error + mu * b.cost;
    });
    choice.option.push_back(static_cast<std::size_t>(best - options.begin()));
    choice.cost += best->cost;
    choice.error += best->error;
  }
  return choice;
}

/// Again and again the exchange in one layer that gains most error per cost and still fits.
void spend_rest(const std::vector<std::vector<RankOption>>& layers, double budget, RankChoice& choice) {
  for (;;) {
    double best = 0;
    std::size_t best_layer = layers.size(), best_option = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const RankOption& now = layers[l][choice.option[l]];
      for (std::size_t o = 0; o < layers[l].size(); ++o) {
        const double gain = now.error - layers[l][o].error, price = layers[l][o].cost - now.cost;
        if (gain <= 0 || choice.cost + price > budget) continue;
        const double worth = price <= 0 ? 1e300 : gain / price;
        if (worth <= best) continue;
        best = worth;
        best_layer = l;
        best_option = o;
      }
    }
    if (best_layer == layers.size()) return;
    const RankOption &was = layers[best_layer][choice.option[best_layer]], &now = layers[best_layer][best_option];
    choice.cost += now.cost - was.cost;
    choice.error += now.error - was.error;
    choice.option[best_layer] = best_option;
  }
}

}  // namespace

RankChoice choose_ranks(const std::vector<std::vector<RankOption>>& layers, double budget) {
  double low = 0, high = 1e-12;
  RankChoice best = at_multiplier(layers, 0);
  if (best.cost > budget) {
    for (int tries = 0; tries < 200; ++tries, high *= 4)
      if ((best = at_multiplier(layers, high)).cost <= budget) break;
    if (best.cost > budget) {  // errors of 0 do not weigh against any cost
      best.reached = false;
      return best;
    }
    for (int step = 0; step < 60; ++step) {
      const double middle = (low + high) / 2;
      RankChoice one = at_multiplier(layers, middle);
      (one.cost <= budget ? high : low) = middle;
      if (one.cost <= budget) best = std::move(one);
    }
  }
  best.reached = true;
  spend_rest(layers, budget, best);
  return best;
}

}  // namespace pare
