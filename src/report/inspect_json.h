// inspect_json.h - an inspection and the groups of channels as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "pare/channels.h"
#include "pare/inspect.h"

namespace pare {

[[nodiscard]] nlohmann::json to_json(const Inspection& inspection);
/// Groups of channels, with the layers that make and read them.
[[nodiscard]] nlohmann::json to_json(const ChannelFlow& flow);

}  // namespace pare
