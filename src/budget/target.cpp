#include "budget/target.h"

#include <algorithm>
#include <array>

#include "core/fail.h"
#include "core/words.h"

namespace pare {

CostTarget cost_target(std::string_view step, const std::vector<std::string>& without, const StepOptions& options) {
  struct Way {
    const char* option;
    CostKind kind;
    const char* noun;
  };
  constexpr std::array<Way, 6> kWays = {{{"macs", CostKind::kMacs, "MACs"},
                                         {"params", CostKind::kParameters, "parameters"},
                                         {"bytes", CostKind::kBytes, "bytes"},
                                         {"latency", CostKind::kMilliseconds, "time"},
                                         {"speedup", CostKind::kMilliseconds, "time"},
                                         {"channels", CostKind::kChannels, "channels"}}};
  CostTarget target;
  std::vector<std::string> given;
  const char* noun = "MACs";
  for (const Way& way : kWays) {
    if (std::find(without.begin(), without.end(), way.option) != without.end() || !options.given(way.option)) continue;
    given.emplace_back(way.option);
    const double number = options.number(way.option);
    if (given.back() == "speedup" && number < 1)
      fail(ErrorCode::kInvalidArgument,
           "{}: speedup={} is no gain\n  remedy: a number of 1 and more, such as speedup=1.5", step,
           options.word(way.option));
    if (given.back() != "speedup" && (number <= 0 || number > 1))
      fail(ErrorCode::kInvalidArgument, "{}: {}={} is no share\n  remedy: what may remain, such as {}=50%", step,
           way.option, options.word(way.option), way.option);
    target.kind = way.kind;
    target.keep = given.back() == "speedup" ? 1 / number : number;
    noun = way.noun;
  }
  if (given.size() > 1)
    fail(ErrorCode::kInvalidArgument, "{}: {} contradict each other\n  remedy: give one goal", step,
         join(given, " and "));
  target.by_layer = target.kind == CostKind::kChannels && !options.flag("global");
  target.text = given == std::vector<std::string>{"speedup"}
                    ? fmt::format("{:.2f} times as fast", 1 / target.keep)
                    : fmt::format("at most {:.4g} % of the {}{}", 100 * target.keep, noun,
                                  target.by_layer ? " of each layer" : "");
  return target;
}

}  // namespace pare
