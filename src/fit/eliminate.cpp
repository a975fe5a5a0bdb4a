#include "fit/eliminate.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"

namespace pare {
namespace {

constexpr std::int64_t kWide = 768;  ///< problems with more columns lose several items at a time
constexpr std::int64_t kShare = 32;  ///< at most one in so many of the items that are left

}  // namespace

Eliminator::Eliminator(std::vector<EliminationPart> parts, std::vector<double> fixed_costs)
    : fixed_(std::move(fixed_costs)) {
  std::size_t items = fixed_.size();
  for (const EliminationPart& part : parts) items = std::max(items, part.columns.size());
  for (EliminationPart& part : parts) {
    State state;
    state.width = state.original = part.inverse.rows;
    state.outputs = part.weights.rows;
    state.weights = transposed(part.weights).values;
    state.inverse = std::move(part.inverse.values);
    state.columns = std::move(part.columns);
    state.columns.resize(items);
    state.scale = part.scale;
    state.gone.resize(static_cast<std::size_t>(state.width), false);
    for (std::int64_t i = 0; i < state.width; ++i) state.column_of.push_back(i);
    states_.push_back(std::move(state));
  }
  fixed_.resize(items, 0.0);
  alive_.resize(items, true);
  left_ = static_cast<std::int64_t>(items);
}

double Eliminator::cost_of(const State& state, const std::vector<std::int64_t>& columns,
                           std::vector<double>& scratch) const {
  const auto k = static_cast<std::int64_t>(columns.size());
  if (k == 0) return 0;
  const std::int64_t outputs = state.outputs;
  scratch.resize(static_cast<std::size_t>(k * k + k * outputs));
  double* l = scratch.data();
  double* v = l + k * k;
  for (std::int64_t i = 0; i < k; ++i) {
    const double* row = state.inverse.data() + columns[static_cast<std::size_t>(i)] * state.width;
    for (std::int64_t j = 0; j < k; ++j) l[i * k + j] = row[columns[static_cast<std::size_t>(j)]];
  }
  // M_cc = L L^T by hand: k is small, and there are many of them. tr(W_c M_cc^-1 W_c^T) = |L^-1 W_c^T|^2.
  double sum = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      double value = l[i * k + j];
      for (std::int64_t p = 0; p < j; ++p) value -= l[i * k + p] * l[j * k + p];
      l[i * k + j] = value / l[j * k + j];
    }
    double pivot = l[i * k + i];
    for (std::int64_t p = 0; p < i; ++p) pivot -= l[i * k + p] * l[i * k + p];
    l[i * k + i] = std::sqrt(std::max(pivot, 1e-300));
    const double* from = state.weights.data() + columns[static_cast<std::size_t>(i)] * outputs;
    double* to = v + i * outputs;
    std::copy(from, from + outputs, to);
    for (std::int64_t j = 0; j < i; ++j) {
      const double factor = l[i * k + j];
      const double* other = v + j * outputs;
      for (std::int64_t o = 0; o < outputs; ++o) to[o] -= factor * other[o];
    }
    const double factor = 1 / l[i * k + i];
    double squares = 0;
    for (std::int64_t o = 0; o < outputs; ++o) {
      to[o] *= factor;
      squares += to[o] * to[o];
    }
    sum += squares;
  }
  return state.scale * sum;
}

void Eliminator::compact(State& state) {
  std::vector<std::int64_t> kept, place(static_cast<std::size_t>(state.width), -1);
  for (std::int64_t i = 0; i < state.width; ++i)
    if (!state.gone[static_cast<std::size_t>(i)]) {
      place[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(kept.size());
      kept.push_back(i);
    }
  const auto width = static_cast<std::int64_t>(kept.size());
  // Forward in place: every element moves towards the front.
  for (std::int64_t i = 0; i < width; ++i) {
    const std::int64_t from = kept[static_cast<std::size_t>(i)];
    const double* row = state.inverse.data() + from * state.width;
    double* to = state.inverse.data() + i * width;
    for (std::int64_t j = 0; j < width; ++j) to[j] = row[kept[static_cast<std::size_t>(j)]];
    std::copy_n(state.weights.data() + from * state.outputs, state.outputs, state.weights.data() + i * state.outputs);
    state.column_of[static_cast<std::size_t>(i)] = state.column_of[static_cast<std::size_t>(from)];
  }
  state.inverse.resize(static_cast<std::size_t>(width * width));
  state.weights.resize(static_cast<std::size_t>(width * state.outputs));
  state.column_of.resize(static_cast<std::size_t>(width));
  state.gone.assign(static_cast<std::size_t>(width), false);
  for (std::vector<std::int64_t>& columns : state.columns)
    for (std::int64_t& column : columns) column = place[static_cast<std::size_t>(column)];
  state.width = width;
  state.dead = 0;
}

void Eliminator::take_out(State& state, const std::vector<std::int64_t>& items, std::vector<double>& costs) {
  std::vector<std::int64_t> rows;
  for (const std::int64_t item : items) {
    const std::vector<std::int64_t>& columns = state.columns[static_cast<std::size_t>(item)];
    rows.insert(rows.end(), columns.begin(), columns.end());
  }
  const auto k = static_cast<std::int64_t>(rows.size());
  if (k == 0) return;
  std::vector<double> l(static_cast<std::size_t>(k * k)), y(static_cast<std::size_t>(k * state.width)),
      v(static_cast<std::size_t>(k * state.outputs));
  for (std::int64_t i = 0; i < k; ++i) {
    const std::int64_t at = rows[static_cast<std::size_t>(i)];
    const double* row = state.inverse.data() + at * state.width;
    std::copy_n(row, state.width, y.data() + i * state.width);
    std::copy_n(state.weights.data() + at * state.outputs, state.outputs, v.data() + i * state.outputs);
    for (std::int64_t j = 0; j < k; ++j)
      l[static_cast<std::size_t>(i * k + j)] = row[rows[static_cast<std::size_t>(j)]];
  }
  if (!cholesky(l.data(), k)) fail(ErrorCode::kNumeric, "fit: a layer's input is too nearly dependent to be pruned");
  solve_lower(l.data(), k, y.data(), state.width, state.width);
  solve_lower(l.data(), k, v.data(), state.outputs, state.outputs);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto count = static_cast<std::int64_t>(state.columns[static_cast<std::size_t>(items[i])].size());
    for (std::int64_t e = first * state.outputs; e < (first + count) * state.outputs; ++e)
      costs[i] += state.scale * v[static_cast<std::size_t>(e)] * v[static_cast<std::size_t>(e)];
    first += count;
  }
  // With Y = L^-1 M_B: and V = L^-1 W_B^T: M -= Y^T Y, W^T -= Y^T V.
  subtract_cross(y.data(), y.data(), k, state.width, state.width, state.inverse.data());
  subtract_cross(y.data(), v.data(), k, state.width, state.outputs, state.weights.data());
  for (const std::int64_t row : rows) state.gone[static_cast<std::size_t>(row)] = true;
  for (const std::int64_t item : items) state.columns[static_cast<std::size_t>(item)].clear();
  state.dead += k;
  if (state.dead * 8 > state.width) compact(state);
}

void Eliminator::remove(const std::vector<std::int64_t>& items) {
  if (items.empty()) return;
  std::vector<double> costs(items.size(), 0.0);
  for (State& state : states_) take_out(state, items, costs);
  for (std::size_t i = 0; i < items.size(); ++i) {
    costs[i] += fixed_[static_cast<std::size_t>(items[i])];
    alive_[static_cast<std::size_t>(items[i])] = false;
    order_.push_back(items[i]);
    costs_.push_back(costs[i]);
    --left_;
  }
}

void Eliminator::remove_cheapest(std::int64_t count, const std::vector<std::int64_t>& among) {
  std::vector<double> scratch;
  std::vector<bool> candidate(alive_.size(), among.empty());
  for (const std::int64_t item : among) candidate[static_cast<std::size_t>(item)] = true;
  while (count > 0) {
    std::vector<std::pair<double, std::int64_t>> ranked;
    std::int64_t width = 0;
    for (const State& state : states_) width = std::max(width, state.width - state.dead);
    for (std::size_t item = 0; item < alive_.size(); ++item) {
      if (!alive_[item] || !candidate[item]) continue;
      double cost = fixed_[item];
      for (const State& state : states_) cost += cost_of(state, state.columns[item], scratch);
      ranked.emplace_back(cost, static_cast<std::int64_t>(item));
    }
    const std::int64_t several =
        width > kWide ? std::max<std::int64_t>(1, static_cast<std::int64_t>(ranked.size()) / kShare) : 1;
    const std::int64_t now = std::min({count, several, static_cast<std::int64_t>(ranked.size())});
    if (now == 0) return;
    std::partial_sort(ranked.begin(), ranked.begin() + now, ranked.end());
    std::vector<std::int64_t> items;
    for (std::int64_t i = 0; i < now; ++i) items.push_back(ranked[static_cast<std::size_t>(i)].second);
    remove(items);
    count -= now;
  }
}

Matrix Eliminator::weights(std::size_t part) const {
  const State& state = states_[part];
  Matrix result(state.outputs, state.original);
  for (std::int64_t i = 0; i < state.width; ++i) {
    if (state.gone[static_cast<std::size_t>(i)]) continue;
    for (std::int64_t o = 0; o < state.outputs; ++o)
      result.at(o, state.column_of[static_cast<std::size_t>(i)]) =
          state.weights[static_cast<std::size_t>(i * state.outputs + o)];
  }
  return result;
}

Matrix Eliminator::inverse(std::size_t part) const {
  const State& state = states_[part];
  Matrix result(state.original, state.original);
  for (std::int64_t i = 0; i < state.width; ++i)
    for (std::int64_t j = 0; j < state.width; ++j)
      if (!state.gone[static_cast<std::size_t>(i)] && !state.gone[static_cast<std::size_t>(j)])
        result.at(state.column_of[static_cast<std::size_t>(i)], state.column_of[static_cast<std::size_t>(j)]) =
            state.inverse[static_cast<std::size_t>(i * state.width + j)];
  return result;
}

}  // namespace pare
