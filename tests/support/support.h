// support.h - what tests share: comparison of tensors, temporary folders, the folder of real models and data.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pare/error.h"
#include "pare/tensor.h"

namespace pare::testing {

struct Tolerance {
  double atol = 0;
  double rtol = 0;
};
/// Empty if |a - b| <= atol + rtol * |b| everywhere, else the worst index, both values and the difference. NaN equals
/// NaN.
std::string difference_text(const std::vector<float>& a, const std::vector<float>& b, Tolerance tolerance);
std::string difference_text(const Tensor& a, const Tensor& b, Tolerance tolerance);

/// EXPECT_THAT(a, AllClose(b, {.atol = 1e-6})), for Tensor and std::vector<float>.
MATCHER_P2(AllCloseImpl, expected, tolerance, "") {
  const std::string text = difference_text(arg, expected, tolerance);
  *result_listener << text;
  return text.empty();
}
template <class T>
auto AllClose(T expected, Tolerance tolerance = {}) {
  return AllCloseImpl(std::move(expected), tolerance);
}

/// A folder that is removed with everything in it at the end of the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// The folder of real models and data beside the repository (PARE_SHARED, else ../shared), or empty. Under CI=true its
/// absence fails the test.
std::filesystem::path shared_folder();
/// Use as: const auto shared = shared_folder(); PARE_NEED_SHARED(shared);
#define PARE_NEED_SHARED(folder) \
  if ((folder).empty()) GTEST_SKIP() << "no folder ../shared with real models and data"

void write_file(const std::filesystem::path& path, const std::string& content);
std::string read_file(const std::filesystem::path& path);

/// Runs `statement` and expects a pare::Error of `code` whose message contains every one of `parts`.
template <class F>
void expect_error(F&& statement, ErrorCode code, std::initializer_list<const char*> parts) {
  try {
    statement();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    for (const char* part : parts) EXPECT_THAT(std::string(error.what()), ::testing::HasSubstr(part));
    return;
  }
  ADD_FAILURE() << "no error was thrown";
}

}  // namespace pare::testing
