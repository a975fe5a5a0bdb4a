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
[[nodiscard]] Clock steady_clock_ms();

[[nodiscard]] Timing benchmark_with(const Clock& clock, Session& session, const BenchmarkOptions& options,
                                    ProgressSink& progress);
[[nodiscard]] SpeedComparison compare_speed_with(const Clock& clock, Session& baseline, Session& other,
                                                 const BenchmarkOptions& options, ProgressSink& progress);

/// The rule of compare_speed: the interval excludes 1 and the ratio is at least 1 % away from it.
[[nodiscard]] Verdict judge(double ratio, Interval interval) noexcept;

}  // namespace pare
