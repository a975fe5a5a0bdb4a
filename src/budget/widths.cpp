#include "budget/widths.h"

#include "core/fail.h"

namespace pare {

Widths full_widths(const ChannelFlow& flow, const std::vector<DropCandidate>& drops) {
  return {.removed = std::vector<std::int64_t>(flow.groups.size(), 0),
          .dropped = std::vector<bool>(drops.size(), false)};
}

std::vector<bool> vanished_groups(const Widths& widths, const std::vector<DropCandidate>& drops) {
  std::vector<bool> gone(widths.removed.size(), false);
  for (std::size_t d = 0; d < drops.size(); ++d)
    if (widths.dropped[d])
      for (const std::int64_t group : drops[d].groups) gone[static_cast<std::size_t>(group)] = true;
  return gone;
}

RemovedClasses removed_classes(const Widths& widths, const std::vector<ErrorCurve>& curves,
                               const std::vector<DropCandidate>& drops) {
  const std::vector<bool> gone = vanished_groups(widths, drops);
  RemovedClasses result;
  for (const ErrorCurve& curve : curves) {
    const auto group = static_cast<std::size_t>(curve.group);
    if (!gone[group]) result.insert(result.end(), curve.order.begin(), curve.order.begin() + widths.removed[group]);
  }
  return result;
}

double error_of(const Widths& widths, const std::vector<ErrorCurve>& curves, const std::vector<DropCandidate>& drops) {
  const std::vector<bool> gone = vanished_groups(widths, drops);
  double error = 0;
  for (const ErrorCurve& curve : curves) {
    const auto group = static_cast<std::size_t>(curve.group);
    if (!gone[group]) error += curve.error[static_cast<std::size_t>(widths.removed[group])];
  }
  for (std::size_t d = 0; d < drops.size(); ++d)
    if (widths.dropped[d]) error += drops[d].error;
  return error;
}

std::vector<std::int64_t> places(const ChannelFlow& flow, const std::vector<ErrorCurve>& curves) {
  std::vector<std::int64_t> result(flow.group_of_class.size(), -1);
  for (const ErrorCurve& curve : curves) {
    if (curve.group < 0 || curve.group >= static_cast<std::int64_t>(flow.groups.size()) ||
        curve.error.size() != curve.order.size() + 1)
      fail(ErrorCode::kInternal, "the error curve of group {} has {} classes and {} errors", curve.group,
           curve.order.size(), curve.error.size());
    for (std::size_t i = 0; i < curve.order.size(); ++i)
      result.at(static_cast<std::size_t>(curve.order[i])) = static_cast<std::int64_t>(i);
  }
  return result;
}

}  // namespace pare
