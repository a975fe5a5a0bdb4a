// convert.h - the step that turns a float32 network into a float16 one.
#pragma once

#include "pare/step.h"

namespace pare {

[[nodiscard]] StepInfo convert();

}  // namespace pare
