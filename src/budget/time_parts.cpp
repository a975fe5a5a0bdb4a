#include "budget/time_parts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.h"
#include "measure/statistics.h"

namespace pare {
namespace {

double block(const Clocks& clocks, Session& session, std::int64_t runs) {
  session.run_bound();  // refills the caches that the others used
  const double start = clocks.wall();
  for (std::int64_t i = 0; i < runs; ++i) session.run_bound();
  return std::max(clocks.wall() - start, 1e-6) / static_cast<double>(runs);
}

}  // namespace

PartTimes time_parts(const Clocks& clocks, Session& whole, const std::vector<Session*>& parts,
                     const TimePartsOptions& options) {
  const double start = clocks.wall();
  std::vector<Session*> sessions = {&whole};
  sessions.insert(sessions.end(), parts.begin(), parts.end());
  std::vector<std::int64_t> runs;
  double whole_block = 0, all_blocks = 0;
  for (Session* session : sessions) {
    session->run_bound();
    const double one = std::min(block(clocks, *session, 1), block(clocks, *session, 1));
    runs.push_back(std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(options.block_ms / one))));
    all_blocks += static_cast<double>(runs.back() + 1) * one;
    if (session == &whole) whole_block = all_blocks;
  }
  const std::int64_t every = parts.empty() || whole_block < all_blocks / 2 ? 1 : 3;
  Rng rng(options.seed);
  std::vector<std::size_t> order(sessions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::vector<double>> over_first(sessions.size());
  std::vector<double> whole_times, first_over_whole;
  for (std::int64_t round = 0; round < options.max_rounds; ++round) {
    if (round >= options.min_rounds && clocks.wall() - start > options.budget_s * 1000) break;
    for (std::size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(i)))]);
    std::vector<double> times(sessions.size(), 0);
    for (const std::size_t i : order)
      if (i > 0 || round % every == 0) times[i] = block(clocks, *sessions[i], runs[i]);
    for (std::size_t i = 1; i < times.size(); ++i) over_first[i].push_back(times[i] / times[1]);
    if (round % every != 0) continue;
    whole_times.push_back(times[0]);
    if (!parts.empty()) first_over_whole.push_back(times[1] / times[0]);
  }
  PartTimes result{.whole_ms = median(whole_times), .part_ms = {}};
  for (std::size_t i = 1; i < sessions.size(); ++i)
    result.part_ms.push_back(result.whole_ms * median(first_over_whole) * median(over_first[i]));
  return result;
}

}  // namespace pare
