// output_error.h - how far another network's outputs are from the dense one's, on a few samples.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

class OutputError {
 public:
  /// Runs the dense network on `samples` samples and keeps its outputs.
  OutputError(const Model& dense, const Dataset& data, std::int64_t samples, std::uint64_t seed,
              const SessionOptions& session);
  /// Squared difference over squared dense outputs (about their mean over samples), averaged over outputs.
  [[nodiscard]] double of(const Model& model) const;

 private:
  SessionOptions session_;
  std::vector<NamedTensors> inputs_;
  std::vector<std::vector<Tensor>> outputs_;  ///< by batch
  std::vector<double> energy_;                ///< by output
};

}  // namespace pare
