#include <fmt/format.h>

#include <set>

#include "core/fail.h"
#include "core/words.h"
#include "pare/session.h"
#include "runtime/check_inputs.h"

namespace pare {
namespace {

/// Usual sizes of images first, then what pyramids of odd depth, small images, and signals need.
constexpr std::int64_t kSizes[] = {224, 256, 320, 128, 64, 32, 512, 640, 192, 96, 299, 48, 28, 16, 8, 1, 1024, 16000};
/// For a channel dimension that the model leaves open.
constexpr std::int64_t kChannels[] = {3, 1, 4, 2};

/// Batch and size say nothing about inputs whose other dimensions are all numbers.
bool depends_on_size(const std::vector<ValueInfo>& inputs, const InputOptions& options) {
  for (const ValueInfo& info : inputs) {
    if (options.shapes.contains(info.name) || !info.shape) continue;
    for (std::size_t axis = 1; axis < info.shape->size(); ++axis)
      if (!(*info.shape)[axis].value || *(*info.shape)[axis].value < 0) return true;
  }
  return false;
}

/// Other channel counts for the inputs that were given the usual three for want of a declaration.
std::vector<InputOptions> with_channels(const std::vector<ValueInfo>& inputs, const InputOptions& options) {
  std::vector<InputOptions> all = {options};
  const NamedTensors usual = random_inputs(inputs, options);
  for (const std::int64_t channels : kChannels) {
    InputOptions changed = options;
    for (const ValueInfo& info : inputs) {
      if (options.shapes.contains(info.name) || !info.shape || info.shape->size() != 4) continue;
      Shape shape = usual.at(info.name).shape();
      if ((*info.shape)[1].value || shape[1] == channels || shape[1] != kChannels[0]) continue;
      shape[1] = channels;
      changed.shapes[info.name] = shape;
    }
    if (changed.shapes != options.shapes) all.push_back(std::move(changed));
  }
  return all;
}

}  // namespace

NamedTensors probe_inputs(const Model& model, const InputOptions& options) {
  const std::vector<ValueInfo>& inputs = model.graph.inputs;
  const std::unique_ptr<Session> session = open_session(model, {.optimize = false});
  std::vector<std::int64_t> sizes = {options.image_size};
  if (options.image_size <= 0 && depends_on_size(inputs, options)) sizes.assign(std::begin(kSizes), std::end(kSizes));

  std::string last;
  std::vector<std::string> tried;
  for (const std::int64_t size : sizes) {
    InputOptions sized = options;
    sized.image_size = size;
    for (const InputOptions& attempt : with_channels(inputs, sized)) {
      NamedTensors tensors = random_inputs(inputs, attempt);
      try {
        session->bind(tensors);
        session->run_bound();
        return tensors;
      } catch (const Error& error) {
        last = error.what();
      }
    }
    if (size > 0) tried.push_back(std::to_string(size));
  }
  fail(ErrorCode::kUnsupported,
       "the model runs with no input of our making{}\n  remedy: give the shapes of its inputs\n"
       "  last failure: {}",
       tried.empty() ? "" : " (sizes tried: " + join(tried, ", ") + ")", last);
}

}  // namespace pare
