// inspect_json.h - an inspection as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "pare/inspect.h"

namespace pare {

[[nodiscard]] nlohmann::json to_json(const Inspection& inspection);

}  // namespace pare
