// model_case.h - a whole model on torch: outputs as in the runtime, gradients to every weight.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include "support/support.h"

namespace pare::testing {

/// The real models beside the repository; the large ones take seconds each.
std::vector<std::filesystem::path> models_to_train(bool large);

/// Outputs equal ONNX Runtime's within 1e-4 of their range and all weights get a finite gradient; or the model is one
/// of those that are refused, with the reason.
void check_trained_model(const std::filesystem::path& path);

inline std::string model_test_name(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem().string();
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

}  // namespace pare::testing
