// steps.h - the techniques of this folder, one function per line of steps.def.
#pragma once

#include "pare/step.h"

namespace pare {

#define PARE_STEP(name) StepInfo name();
#include "train/steps.def"
#undef PARE_STEP

}  // namespace pare
