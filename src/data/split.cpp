#include "pare/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/fail.h"
#include "core/random.h"

namespace pare {
namespace {

using Indices = std::vector<std::int64_t>;

void shuffle(Indices& indices, Rng& rng) {
  for (std::size_t i = indices.size(); i > 1; --i)
    std::swap(indices[i - 1], indices[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(i)))]);
}

std::int64_t size_of(const Indices& indices) { return static_cast<std::int64_t>(indices.size()); }

std::map<std::int64_t, Indices> by_number(const std::vector<std::int64_t>& numbers) {
  std::map<std::int64_t, Indices> members;
  for (std::size_t i = 0; i < numbers.size(); ++i) members[numbers[i]].push_back(static_cast<std::int64_t>(i));
  return members;
}

/// How many of each class: rounded down, then the largest remainders one more, never a whole class. Empty if that
/// does not come to `wanted`.
std::vector<std::int64_t> quotas(const std::map<std::int64_t, Indices>& classes, std::int64_t wanted, double share) {
  std::vector<std::int64_t> result;
  std::vector<std::pair<double, std::size_t>> remainders;
  std::int64_t given = 0;
  for (const auto& [label, members] : classes) {
    const double exact = share * static_cast<double>(members.size());
    const auto whole = std::min(static_cast<std::int64_t>(exact), size_of(members) - 1);
    if (whole + 1 < size_of(members)) remainders.emplace_back(exact - static_cast<double>(whole), result.size());
    result.push_back(whole);
    given += whole;
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < remainders.size() && given < wanted; ++i, ++given) ++result[remainders[i].second];
  return given == wanted ? result : std::vector<std::int64_t>{};
}

Indices choose_samples(const Dataset& dataset, std::int64_t wanted, double share, Rng& rng) {
  Indices chosen;
  std::map<std::int64_t, Indices> classes = by_number(dataset.labels());
  const std::vector<std::int64_t> counts = quotas(classes, wanted, share);
  if (counts.empty()) {
    chosen.resize(static_cast<std::size_t>(dataset.size()));
    std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
    shuffle(chosen, rng);
    chosen.resize(static_cast<std::size_t>(wanted));
    return chosen;
  }
  std::size_t at = 0;
  for (auto& [label, members] : classes) {
    shuffle(members, rng);
    chosen.insert(chosen.end(), members.begin(), members.begin() + counts[at++]);
  }
  return chosen;
}

/// Whole groups in random order, each taken if that brings the number nearer to `wanted`; at least one, never all.
Indices choose_groups(const std::map<std::int64_t, Indices>& groups, std::int64_t wanted, Rng& rng) {
  Indices order, chosen;
  for (const auto& [number, members] : groups) order.push_back(number);
  shuffle(order, rng);
  std::size_t left = order.size();
  for (const std::int64_t number : order) {
    const Indices& members = groups.at(number);
    const bool nearer = std::abs(size_of(chosen) + size_of(members) - wanted) < std::abs(size_of(chosen) - wanted);
    if (left == 1 || !nearer) continue;
    chosen.insert(chosen.end(), members.begin(), members.end());
    --left;
  }
  if (!chosen.empty()) return chosen;
  return std::min_element(groups.begin(), groups.end(),
                          [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); })
      ->second;
}

/// All below `size` that are not in the sorted `taken`.
Indices others(const Indices& taken, std::int64_t size) {
  Indices rest;
  auto next = taken.begin();
  for (std::int64_t index = 0; index < size; ++index) {
    if (next != taken.end() && *next == index)
      ++next;
    else
      rest.push_back(index);
  }
  return rest;
}

}  // namespace

std::vector<std::int64_t> shuffled_indices(std::int64_t size, std::uint64_t seed, std::int64_t epoch) {
  if (size < 0) fail(ErrorCode::kInvalidArgument, "an order of {} samples was asked for", size);
  Indices indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  // Odd and large: (seed, epoch) and (seed + 1, epoch - 1) are different orders.
  Rng rng(seed * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(epoch) * 0xD1B54A32D192ED03ULL);
  shuffle(indices, rng);
  return indices;
}

Split set_aside(const Dataset& dataset, std::int64_t most, std::uint64_t seed) {
  const std::int64_t size = dataset.size(), aside = std::min(size / 2, most);
  if (aside < 1)
    fail(ErrorCode::kInvalidArgument,
         "the data holds {} samples; at least 2 are needed\n  remedy: give more, or held-out ones with --eval", size);
  Split split;
  if (const auto groups = by_number(dataset.groups()); !groups.empty()) {
    if (groups.size() < 2)
      fail(ErrorCode::kInvalidArgument,
           "{}: all samples lie in one block of neighbouring tiles, which stays whole, so none can be set aside\n  "
           "remedy: held-out data with --eval, or a smaller 'tile'",
           dataset.description());
    Rng rng(seed);
    split.validation = choose_groups(groups, aside, rng);
    std::sort(split.validation.begin(), split.validation.end());
    split.train = others(split.validation, size);
    return split;
  }
  split.validation = sample_indices(size, aside, seed);  // ascending
  split.train = others(split.validation, size);
  return split;
}

Split split_dataset(const Dataset& dataset, double validation_share, std::uint64_t seed) {
  if (!(validation_share >= 0 && validation_share < 1))
    fail(ErrorCode::kInvalidArgument, "a validation share of {}: expected at least 0 and below 1", validation_share);
  Split split;
  const std::int64_t size = dataset.size();
  if (validation_share > 0) {
    const auto groups = by_number(dataset.groups());
    const std::int64_t units = groups.empty() ? size : static_cast<std::int64_t>(groups.size());
    if (units < 2)
      fail(ErrorCode::kInvalidArgument,
           "{} cannot be divided into training and validation: there is {} sample{}\n  remedy: give more data, or a "
           "validation share of 0",
           dataset.description(), units, groups.empty() ? "" : " that stays whole (a block of neighbouring tiles)");
    const auto wanted =
        std::clamp<std::int64_t>(std::llround(validation_share * static_cast<double>(size)), 1, size - 1);
    Rng rng(seed);
    split.validation =
        groups.empty() ? choose_samples(dataset, wanted, validation_share, rng) : choose_groups(groups, wanted, rng);
    std::sort(split.validation.begin(), split.validation.end());
  }
  split.train = others(split.validation, size);
  return split;
}

}  // namespace pare
