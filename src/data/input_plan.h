// input_plan.h - how a stored sample becomes one input of the network: decided once, applied to every sample.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/resize.h"
#include "pare/dataset.h"

namespace pare::data {

/// Decided from a first sample, the preprocess description and, if known, the network's input. Immutable afterwards.
class InputPlan {
 public:
  /// Throws Error(kInvalidArgument) where the three do not fit together. `wanted` null: samples come as stored,
  /// float32.
  InputPlan(std::string name, Preprocess preprocess, const ValueInfo* wanted, const Image& first);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Preprocess& preprocess() const noexcept { return preprocess_; }
  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  /// Shape of the prepared sample, without the batch dimension. Throws Error(kInvalidArgument) naming `what` (a file)
  /// if this sample cannot be prepared: channels, size, type.
  [[nodiscard]] Shape shape_of(const Image& image, const std::string& what) const;
  /// Writes the prepared sample; `image` has passed shape_of().
  void write(const Image& image, std::byte* out) const;
  [[nodiscard]] InputLayout layout() const;
  /// Height and width after resizing.
  [[nodiscard]] PlaneSize size_of(const Image& image) const;

 private:
  /// What the network's input says about the sample; empty where it says nothing.
  struct Wanted {
    bool known = false;
    std::string text;                               ///< "[N, 3, 32, 32]"
    std::vector<std::optional<std::int64_t>> dims;  ///< after the batch dimension
    std::optional<std::int64_t> channels, height, width;
  };

  void decide_type(const Image& first, DType wanted);
  void decide_layout(const Image& first);
  void check_lengths() const;
  void make_tables();
  [[nodiscard]] std::optional<std::vector<std::int64_t>> channels_for(const Image& image, std::int64_t target) const;
  [[nodiscard]] bool mixes_gray(const Image& image) const;
  [[nodiscard]] std::int64_t natural_channels(const Image& image) const;
  [[noreturn]] void fail_channels(const Image& image, const std::string& what) const;
  void check_size(const Image& image, const std::string& what, const PlaneSize& size) const;
  void write_bytes(const Image& image, const std::vector<std::int64_t>& sources, std::byte* out) const;
  void write_by_table(const Image& image, const std::vector<std::int64_t>& sources, float* out) const;
  void write_general(const Image& image, const std::vector<std::int64_t>& sources, std::byte* out) const;
  [[nodiscard]] std::vector<float> prepared_plane(const Image& image, const std::vector<std::int64_t>& sources,
                                                  std::int64_t channel) const;
  [[nodiscard]] bool is_nodata(float value) const;
  [[nodiscard]] double normalized(double value, std::int64_t channel) const;
  [[nodiscard]] bool normalizes() const;

  std::string name_;
  Preprocess preprocess_;
  Wanted wanted_;
  DType dtype_ = DType::kFloat32;
  std::int64_t channels_ = 0;   ///< of the prepared sample
  bool channels_last_ = false;  ///< of the prepared sample
  std::vector<double> mean_, inverse_std_;
  std::vector<std::array<float, 256>> tables_;  ///< per channel: prepared value of every byte
};

}  // namespace pare::data
