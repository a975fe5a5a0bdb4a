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

/// Families of ever faster float networks (fewer channels and blocks; layers of low rank), in the order in which they
/// are tried: where one loses too much, the rest of its family is not worth the time.
[[nodiscard]] std::vector<std::vector<CandidateSpec>> thinner_specs(const Model& rewritten,
                                                                    const CompressOptions& options);

/// Training of a thinner network for that many seconds.
[[nodiscard]] std::string finetune_recipe(double seconds, const CompressOptions& options);

}  // namespace pare
