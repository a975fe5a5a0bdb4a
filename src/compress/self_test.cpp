// The self-test that travels in a model's metadata: inputs (or the seed that draws them), expected outputs, tolerance.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/fail.h"
#include "pare/compress.h"
#include "step/compare_outputs.h"

namespace pare {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSelfTestKey = "pare.self_test";
constexpr std::int64_t kLargestStoredInput = 1024;  // bytes over all inputs
constexpr std::int64_t kMostStoredOutputs = 4096;   // values of one output
// Float kernels of other instruction sets differ in the order of their sums: more than the checks on one machine allow.
constexpr double kFloatTolerance = 1e-3;

Json tensor_to_json(const Tensor& tensor) {
  return {
      {"dtype", static_cast<int>(tensor.dtype())}, {"shape", tensor.shape()}, {"data", base64_encode(tensor.bytes())}};
}

Tensor tensor_from_json(const Json& json) {
  return Tensor::from_bytes(static_cast<DType>(json.at("dtype").get<int>()), json.at("shape").get<Shape>(),
                            base64_decode(json.at("data").get<std::string>()));
}

/// Every `stride`-th value, so that at most kMostStoredOutputs are kept.
std::vector<float> sampled(const Tensor& tensor) {
  const std::vector<float> all = tensor.to_floats();
  const auto count = static_cast<std::int64_t>(all.size());
  const std::int64_t stride = std::max<std::int64_t>(1, (count + kMostStoredOutputs - 1) / kMostStoredOutputs);
  std::vector<float> some;
  for (std::int64_t i = 0; i < count; i += stride) some.push_back(all[static_cast<std::size_t>(i)]);
  return some;
}

}  // namespace

void add_self_test(Model& model, const NamedTensors& inputs, const SessionOptions& options, std::uint64_t seed) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : inputs) bytes += tensor.size_bytes();
  const auto session = open_session(model, options);
  NamedTensors used = inputs;
  Json test = {{"version", 1}, {"tolerance", std::max(kFloatTolerance, tolerance_for(model).share)}};
  if (bytes <= kLargestStoredInput) {
    for (const auto& [name, tensor] : inputs) test["inputs"][name] = tensor_to_json(tensor);
  } else {
    InputOptions drawn{.batch = 1, .image_size = 0, .seed = seed, .shapes = {}};
    for (const auto& [name, tensor] : inputs) {
      drawn.shapes[name] = tensor.shape();
      test["shapes"][name] = tensor.shape();
    }
    test["seed"] = seed;
    used = random_inputs(session->inputs(), drawn);
  }
  const std::vector<Tensor> outputs = session->run(used);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    if (dtype_bits(output.dtype()) < 8) continue;
    const std::vector<float> values = sampled(output);
    test["outputs"].push_back(
        {{"name", session->outputs()[i].name},
         {"shape", output.shape()},
         {"values", tensor_to_json(Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values))}});
  }
  test["made_with"] = session->description() + ", " + cpu_description();
  model.set_metadata(kSelfTestKey, test.dump());
}

SelfTestResult run_self_test(const Model& model, const SessionOptions& options) {
  const std::string* text = model.find_metadata(kSelfTestKey);
  if (text == nullptr)
    fail(ErrorCode::kInvalidArgument,
         "the model carries no self-test\n  remedy: models that pare wrote carry one; compare two models with pare "
         "diff");
  Json test;
  NamedTensors inputs;
  const auto session = open_session(model, options);
  SelfTestResult result;
  result.passed = true;
  try {
    test = Json::parse(*text);
    if (test.contains("inputs")) {
      for (const auto& [name, tensor] : test.at("inputs").items()) inputs[name] = tensor_from_json(tensor);
    } else {
      InputOptions drawn{.batch = 1, .image_size = 0, .seed = test.at("seed").get<std::uint64_t>(), .shapes = {}};
      for (const auto& [name, shape] : test.at("shapes").items()) drawn.shapes[name] = shape.get<Shape>();
      inputs = random_inputs(session->inputs(), drawn);
    }
    const double tolerance = test.at("tolerance").get<double>();
    const std::vector<Tensor> outputs = session->run(inputs);
    for (const Json& expected : test.at("outputs")) {
      const std::string name = expected.at("name").get<std::string>();
      const auto& infos = session->outputs();
      const auto found =
          std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& info) { return info.name == name; });
      if (found == infos.end())
        fail(ErrorCode::kMalformedModel, "the self-test expects an output '{}' that the model has not", name);
      const Tensor& output = outputs[static_cast<std::size_t>(found - infos.begin())];
      const std::vector<float> want = tensor_from_json(expected.at("values")).to_floats(), have = sampled(output);
      if (output.shape() != expected.at("shape").get<Shape>() || want.size() != have.size()) {
        result.passed = false;
        result.detail = fmt::format("output '{}': shape {} instead of {}", name, shape_text(output.shape()),
                                    shape_text(expected.at("shape").get<Shape>()));
        return result;
      }
      double low = 0, high = 0, worst = 0;
      for (const float value : want) low = std::min<double>(low, value), high = std::max<double>(high, value);
      for (std::size_t i = 0; i < want.size(); ++i) {
        if (want[i] == have[i] || (std::isnan(want[i]) && std::isnan(have[i]))) continue;
        const double difference = std::abs(static_cast<double>(want[i]) - have[i]);
        worst = std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(worst, difference);
      }
      const double allowed = tolerance * std::max(high - low, 1e-30);
      const double share = worst / allowed;
      if (result.detail.empty() || !(share <= result.worst_difference)) {
        result.worst_difference = share;
        result.detail =
            fmt::format("output '{}': largest difference {:.2g}, {:.2g} allowed (expected values made with {})", name,
                        worst, allowed, test.value("made_with", "an unknown runtime"));
      }
      result.passed = result.passed && share <= 1;
    }
  } catch (const Json::exception& error) {
    fail(ErrorCode::kMalformedModel, "the model's self-test cannot be read: {}", error.what());
  }
  return result;
}

}  // namespace pare
