// half_facts.h - what the conversion to float16 knows of a graph before it decides: types, constants, readers, ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pare/graph.h"
#include "pare/model_io.h"
#include "pare/step.h"

namespace pare {

/// Largest finite magnitude that each value took over a few runs; infinity if it held one.
struct MeasuredRanges {
  std::unordered_map<std::string, double> max_abs;  ///< by value name; float and integer values
  std::unordered_map<std::string, DType> dtypes;
  std::int64_t samples = 0;
  NamedTensors inputs;  ///< of the last run; empty: nothing was run
  std::string note;     ///< how it was measured, or why it was not
};
/// Runs the model on calibration samples (context.data), else on random inputs if they are allowed, else on one probe
/// input. A model that the runtime cannot run gives no ranges and a note.
[[nodiscard]] MeasuredRanges measure_ranges(const Model& model, Context& context, bool allow_random);

class HalfFacts {
 public:
  HalfFacts(const Model& model, MeasuredRanges measured);
  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] const Graph& graph() const noexcept { return model_.graph; }
  [[nodiscard]] const GraphIndex& index() const noexcept { return index_; }
  [[nodiscard]] const MeasuredRanges& measured() const noexcept { return measured_; }
  /// Tensor of an initializer or a Constant node; null: neither.
  [[nodiscard]] const Tensor* constant(std::string_view value) const noexcept;
  [[nodiscard]] DType dtype(std::string_view value) const noexcept;  ///< kUndefined: unknown
  [[nodiscard]] bool is_float32(std::string_view value) const noexcept { return dtype(value) == DType::kFloat32; }
  [[nodiscard]] std::optional<std::vector<Dim>> shape(std::string_view value) const;
  /// nullopt: not measured.
  [[nodiscard]] std::optional<double> max_abs(std::string_view value) const;

 private:
  const Model& model_;
  GraphIndex index_;
  MeasuredRanges measured_;
  ValueTypes types_;
  std::unordered_map<std::string, Tensor> constants_;
};

}  // namespace pare
