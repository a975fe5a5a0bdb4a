#include "measure/side_by_side.h"

#include <fmt/format.h>

namespace pare {

std::string SideBySide::text() const {
  return fmt::format("measured {:.2f} times as fast as before ({:.2f} to {:.2f}), {}, batch 1", speed.ratio,
                     speed.interval.low, speed.interval.high, timed_with);
}

SideBySide time_side_by_side(const Model& before, const Model& after, const NamedTensors& inputs,
                             SessionOptions session, const SideBySideOptions& options, ProgressSink& progress) {
  session.extra_outputs.clear();
  const auto old_session = open_session(before, session), new_session = open_session(after, session);
  old_session->bind(inputs);
  new_session->bind(inputs);
  SideBySide timed{.speed = {}, .timed_with = old_session->description()};
  BenchmarkOptions benchmark = options.benchmark;
  for (;; benchmark.budget_s *= 2) {
    timed.speed = compare_speed(*old_session, *new_session, benchmark, progress);
    const double width = timed.speed.interval.high - timed.speed.interval.low;
    if (width < options.narrow * timed.speed.ratio || benchmark.budget_s >= options.most_s) return timed;
  }
}

}  // namespace pare
