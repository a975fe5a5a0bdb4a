// sound.h - what every architecture must be: valid, runnable, of sane scale, reproducible, prunable.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "pare/architecture.h"
#include "pare/channels.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "pare/session.h"
#include "support/support.h"

namespace pare::testing {

using Options = std::map<std::string, std::string>;

/// A standard normal batch for the input x, open sides taken at `open_side`.
inline NamedTensors normal_input(const Model& model, std::int64_t batch, std::int64_t open_side = 32) {
  Shape shape;
  for (const Dim& dim : *model.graph.inputs.at(0).shape) shape.push_back(dim.value.value_or(open_side));
  shape[0] = batch;
  Rng rng(11);
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return {{model.graph.inputs[0].name, Tensor::of<float>(shape, values)}};
}

inline double deviation(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_floats();
  double sum = 0, squares = 0;
  for (const float value : values) sum += value, squares += static_cast<double>(value) * value;
  const double n = static_cast<double>(values.size());
  return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
}

inline std::int64_t parameters_of(const std::string& name, const Options& options = {}) {
  return inspect_model(new_model(name, options)).total_parameters;
}

/// Shape and scale of the output, and the batch left open.
inline void expect_runs(const Model& model, const Shape& per_sample, std::int64_t open_side = 32) {
  ASSERT_FALSE(model.graph.inputs.at(0).shape->at(0).value.has_value()) << "the batch is fixed";
  const auto session = open_session(model);
  for (const std::int64_t batch : {2, 3}) {
    const Tensor out = session->run(normal_input(model, batch, open_side)).at(0);
    Shape expected = per_sample;
    expected.insert(expected.begin(), batch);
    EXPECT_EQ(out.shape(), expected);
    EXPECT_GT(deviation(out), 0.03) << "the signal fades on its way";
    EXPECT_LT(deviation(out), 10) << "the signal explodes on its way";
  }
}

/// Takes one class out of every free group at once.
inline void expect_prunable(const Model& model, std::int64_t least_groups) {
  const NamedTensors input = normal_input(model, 1);
  const ChannelFlow flow = trace_channels(model, input);
  RemovedClasses removed;
  std::int64_t groups = 0;
  for (const ChannelGroup& group : flow.groups) {
    if (!group.frozen.empty() || group.classes.size() < 2) continue;
    ++groups;
    removed.push_back(group.classes.front());
  }
  EXPECT_GE(groups, least_groups);
  const Model cut = remove_channels(model, flow, removed);
  check_model(cut);
  EXPECT_LT(inspect_model(cut).total_parameters, inspect_model(model).total_parameters);
  const Tensor out = open_session(cut)->run(input).at(0),
               masked = open_session(mask_channels(model, flow, removed))->run(input).at(0);
  EXPECT_THAT(out, AllClose(masked, {.atol = 1e-3, .rtol = 1e-3}));
}

inline void expect_seeded(const std::string& name, Options options) {
  const std::string first = serialize_model(new_model(name, options));
  EXPECT_EQ(serialize_model(new_model(name, options)), first);
  options["seed"] = "4";
  EXPECT_NE(serialize_model(new_model(name, options)), first);
}

/// All of it. The sizes of the options should be small.
inline void expect_sound(const std::string& name, const Options& options, const Shape& per_sample,
                         std::int64_t least_groups) {
  SCOPED_TRACE(name);
  const Model model = new_model(name, options);
  check_model(model);
  expect_runs(model, per_sample);
  expect_prunable(model, least_groups);
  expect_seeded(name, options);
}

}  // namespace pare::testing
