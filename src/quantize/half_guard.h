// half_guard.h - reasons for which a node that could compute in float16 has to stay in float32.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quantize/half_facts.h"

namespace pare {

/// Which inputs and outputs of a node are float32 now and would be float16 if the node were converted. By the
/// operator's definition; refusal says why there are none.
struct HalfSlots {
  std::vector<bool> inputs, outputs;
  bool touches_float32 = false;  ///< some input or output is float32, or of unknown type
  bool source = false;           ///< makes float32 from none: Cast of integers, ConstantOfShape
  bool transparent = false;      ///< reads float32 of any width without computing with it: Shape, Cast to integers
  std::string refusal;
};
[[nodiscard]] HalfSlots half_slots(const HalfFacts& facts, const Node& node);

enum class KeepKind {
  kNone,
  kTypes,        ///< the operator's definition, or nothing is known of it
  kArithmetic,   ///< sums, squares, exponentials: right in float32 only
  kConstant,     ///< a constant that float16 cannot hold
  kTiny,         ///< a constant that vanishes in float16, such as what is added before a division
  kRange,        ///< values seen beyond half of float16's range, or all below its normal range
  kCoordinates,  ///< positions, sizes, sentinels: integers that must stay exact
  kUser,         ///< excluded
  kCasts,        ///< converting would only add Casts
};
struct Keep {
  KeepKind kind = KeepKind::kNone;
  std::string reason;
  explicit operator bool() const noexcept { return kind != KeepKind::kNone; }
};
[[nodiscard]] Keep keep_float32(const HalfFacts& facts, const Node& node, const HalfSlots& slots);

/// Values beyond this, half of the largest float16, are not trusted to stay inside on other data.
inline constexpr double kHalfTrusted = 65504.0 / 2;

}  // namespace pare
