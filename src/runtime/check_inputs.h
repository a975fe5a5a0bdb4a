// check_inputs.h - do tensors fit the inputs that a model declares?
#pragma once

#include <string>
#include <vector>

#include "pare/session.h"

namespace pare {

/// "[N, 4, H, W] float32"; an unknown dimension is "?", an unknown rank "[...]".
[[nodiscard]] std::string declared_text(const ValueInfo& info);
/// Whether a tensor of that shape can be given where `info` is declared.
[[nodiscard]] bool shape_fits(const ValueInfo& info, const Shape& shape);
/// Throws Error(kInvalidArgument) for a missing, unknown, wrongly typed or wrongly shaped input.
void check_inputs(const std::vector<ValueInfo>& declared, const NamedTensors& given);

}  // namespace pare
