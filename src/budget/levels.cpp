#include "budget/levels.h"

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "pare/measure.h"

namespace pare {
namespace {

/// Of one layer that makes the group: its channels in all, and how many are gone with the first n of the order.
struct Made {
  std::int64_t others = 0;  ///< channels of other groups
  std::int64_t all = 0;     ///< of this one
  std::vector<std::int64_t> gone;
};

std::vector<Made> made_by_layers(const ChannelFlow& flow, const ErrorCurve& curve) {
  const std::vector<std::int64_t> place = places(flow, {curve});
  std::vector<Made> result;
  for (const ChannelLayer& layer : flow.layers) {
    Made made;
    std::vector<std::int64_t> at(curve.order.size(), 0);
    for (const ChannelClass channel : layer.outputs) {
      const auto c = static_cast<std::size_t>(channel);
      if (channel < 0 || flow.group_of_class[c] != curve.group) {
        ++made.others;
        continue;
      }
      ++made.all;
      if (place[c] >= 0) ++at[static_cast<std::size_t>(place[c])];
    }
    if (made.all == 0) continue;
    made.gone.push_back(0);
    for (const std::int64_t count : at) made.gone.push_back(made.gone.back() + count);
    result.push_back(std::move(made));
  }
  return result;
}

bool aligned(const Made& made, std::size_t n, std::int64_t align) {
  // Where a layer makes other channels too, what goes is aligned: what stays depends on the other groups.
  return made.others > 0 ? made.gone[n] % align == 0 : (made.all - made.gone[n]) % align == 0;
}

}  // namespace

std::vector<std::int64_t> allowed_removals(const ChannelFlow& flow, const ErrorCurve& curve,
                                           const GroupLimits& limits) {
  const ChannelGroup& group = flow.groups.at(static_cast<std::size_t>(curve.group));
  if (limits.align < 1 || limits.floor < 1 || !(limits.most >= 0 && limits.most <= 1))
    fail(ErrorCode::kInvalidArgument,
         "'{}': widths in multiples of {}, at least {}, at most {} of the channels gone\n  remedy: multiples and least "
         "widths of 1 and more, a share between 0 and 1",
         group.name, limits.align, limits.floor, limits.most);
  std::vector<std::int64_t> levels = {0};
  if (!group.frozen.empty() || !limits.excluded.empty()) return levels;
  const auto now = static_cast<std::int64_t>(group.classes.size());
  const std::int64_t original = std::max(limits.original, now);
  const auto most = static_cast<std::int64_t>(std::floor(limits.most * static_cast<double>(original) + 1e-9));
  const std::vector<Made> layers = made_by_layers(flow, curve);
  for (std::int64_t n = 1; n <= static_cast<std::int64_t>(curve.order.size()); ++n) {
    if (now - n < limits.floor || original - now + n > most) break;
    if (std::all_of(layers.begin(), layers.end(),
                    [&](const Made& made) { return aligned(made, static_cast<std::size_t>(n), limits.align); }))
      levels.push_back(n);
  }
  return levels;
}

std::int64_t runtime_block() { return cpu_features().avx512 ? 16 : 8; }

}  // namespace pare
