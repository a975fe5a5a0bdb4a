// pare/model_io.h - ONNX files in and out, checked; shapes inferred; text form for tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "pare/graph.h"

namespace pare {

struct LoadOptions {
  /// External data whose path is a symbolic link leading out of the model's folder (as hub caches have them) is refused
  /// unless true.
  bool allow_external_links = false;
};

/// Reads an ONNX file of any IR version from 3 on; external data is mapped, not copied, and found beside the model
/// file. Nodes come back sorted. Throws Error: kIo (missing, unreadable), kMalformedModel (not ONNX: says what it is
/// instead; truncated; external data outside the folder or the file; inconsistent sizes).
[[nodiscard]] Model load_model(const std::filesystem::path& path, const LoadOptions& options = {});
/// The same from memory; external data is not allowed there unless `folder` is given.
[[nodiscard]] Model parse_model(std::span<const std::byte> bytes, const std::filesystem::path& folder = {});

struct SaveOptions {
  /// Serialized size from which on weights go into NAME.onnx.data beside the model (protobuf's own limit is 2 GiB).
  std::int64_t external_threshold_bytes = 2'000'000'000;
  /// Smallest tensor that goes there.
  std::int64_t external_tensor_bytes = 1024;
};

/// Writes beside the target and renames: an error leaves the old file as it was and nothing new. Saving over the file
/// that the model was loaded from is fine. Throws Error(kIo).
void save_model(const Model& model, const std::filesystem::path& path, const SaveOptions& options = {});
/// One protobuf message with everything inside. Throws Error(kUnsupported) above 2 GiB.
[[nodiscard]] std::string serialize_model(const Model& model);
struct SlimModel {
  std::string bytes;
  std::vector<std::string> left_out;  ///< names of the initializers that are only declared
};
/// The same, but initializers of the main graph that its nodes read, above `bytes` bytes, are declared as external data
/// and not written: for a runtime that is handed the weights themselves, so that they are in memory once.
[[nodiscard]] SlimModel serialize_without_weights(const Model& model, std::int64_t bytes = 1024);
/// Bytes on disk of a saved model, its external data files included.
[[nodiscard]] std::int64_t size_on_disk(const std::filesystem::path& path);

/// ONNX's text form ("<ir_version: 8, opset_import: ["" : 17]> agraph (float[N] x) => (float[N] y) { y = Relu(x) }").
/// Throws Error(kMalformedModel).
[[nodiscard]] Model model_from_text(std::string_view text);
[[nodiscard]] std::string model_to_text(const Model& model);

/// Declared and inferred types by value name, of the main graph. Values that inference cannot tell are absent or have
/// no shape.
using ValueTypes = std::unordered_map<std::string, ValueInfo>;
/// Partial results are fine: operators of unknown domains stop inference behind them, not elsewhere. With
/// `input_shapes` the named inputs are taken at those shapes.
[[nodiscard]] ValueTypes infer_types(const Model& model, const std::map<std::string, Shape>& input_shapes = {});

/// Structure (unique names, no dangling input, sorted), ONNX's checker, strict shape inference, and the dimension
/// checks that the checker lacks (Conv/ConvTranspose/Gemm weights against their input, strides and pads of the right
/// length, BatchNormalization vectors, Split sizes). Throws Error(kMalformedModel) that names the node.
void check_model(const Model& model);

}  // namespace pare
