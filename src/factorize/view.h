// view.h - targets of a layer that an activation follows: what it cuts off anyway does not count.
#pragma once

#include <vector>

#include "fit/layer_rows.h"

namespace pare {

/// Turns `outputs`, what the layer makes now, into the difference to what it should make: the dense output where the
/// activation lets it through, else anything that is cut off too.
void rest_in_view(const FitTarget& target, const RowBlock& block, std::vector<float>& outputs);

/// The same with the penalty of Zhang, Zou, He, Sun (2015): the sum z before the activation a is to minimise
/// (a(z) - a(dense))^2 + lambda (z - now)^2, solved for each element.
void rest_by_penalty(const FitTarget& target, const RowBlock& block, float lambda, std::vector<float>& outputs);

}  // namespace pare
