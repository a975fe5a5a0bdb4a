// timing.h - the engine behind benchmark and compare_speed, with the clock as an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/random.h"
#include "pare/measure.h"

namespace pare {

/// Milliseconds since some moment, never going back.
using Clock = std::function<double()>;

/// Only `wall` is ever reported. `work` (CPU time of the process) tells how many runs are equally much work, which wall
/// time does not tell while others use the machine.
struct Clocks {
  Clock wall, work;
};
[[nodiscard]] Clocks system_clocks();

[[nodiscard]] Timing benchmark_with(const Clocks& clocks, Session& session, const BenchmarkOptions& options,
                                    ProgressSink& progress);
[[nodiscard]] SpeedComparison compare_speed_with(const Clocks& clocks, Session& baseline, Session& other,
                                                 const BenchmarkOptions& options, ProgressSink& progress);

/// The rule of compare_speed: the whole interval lies at least 1 % from 1; less than that is no difference.
[[nodiscard]] Verdict judge(Interval interval) noexcept;

}  // namespace pare
