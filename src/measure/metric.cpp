#include "pare/measure.h"

namespace pare {

std::string_view metric_name(Metric metric) noexcept {
  switch (metric) {
    case Metric::kTop1:
      return "top-1";
    case Metric::kTop5:
      return "top-5";
    case Metric::kMeanIou:
      return "mean IoU";
    case Metric::kRmse:
      return "RMSE";
    case Metric::kAgreement:
      return "agreement";
  }
  return "unknown metric";
}

bool higher_is_better(Metric metric) noexcept { return metric != Metric::kRmse; }

std::string_view verdict_name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kFaster:
      return "faster";
    case Verdict::kSlower:
      return "slower";
    case Verdict::kNoDifference:
      return "no difference";
  }
  return "unknown verdict";
}

}  // namespace pare
