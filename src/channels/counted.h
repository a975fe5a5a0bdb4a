// counted.h - numbers of channels that a network computes with: they would change with every channel that goes.
#pragma once

#include <functional>
#include <string>

#include "channels/labels.h"
#include "ops/constant_roots.h"
#include "pare/session.h"

namespace pare {

/// Follows what Shape and Size say of labelled axes, element by element, through the small integers that graphs make
/// their shapes from. Where such a number ends in anything but a shape, a slice, a split or a size (in arithmetic with
/// data, in an output), `freeze(labels, reason)` is called with the labels of the tensor that was counted.
void freeze_counted(const Graph& graph, const Trace& trace, const ConstantRoots& constants,
                    const std::function<const Labels*(const std::string& value)>& labels_of,
                    const std::function<void(const Labels& labels, const std::string& reason)>& freeze);

}  // namespace pare
