// candidates.h - which recipes are worth trying for a network.
#pragma once

#include <string>
#include <vector>

#include "pare/compress.h"

namespace pare {

struct CandidateSpec {
  std::string name;    ///< "int8, min-max"
  std::string recipe;  ///< applied to the rewritten model
};
/// Beyond the rewritten float model, in the order of the table.
[[nodiscard]] std::vector<CandidateSpec> candidate_specs(const Model& rewritten, const CompressOptions& options);

/// Ever faster networks of fewer channels and blocks, in the order in which they are tried.
[[nodiscard]] std::vector<CandidateSpec> pruned_specs(const Model& rewritten, const CompressOptions& options);

}  // namespace pare
