// parallel.h - how many threads work that is not timed may use.
#pragma once

namespace pare {

/// All cores that this process may run on (taskset and containers may leave it fewer than the machine has), or as many
/// as were asked for if that is more. For proofs, calibration and training; what is timed runs with exactly what was
/// asked for.
[[nodiscard]] int working_threads(int asked);

}  // namespace pare
