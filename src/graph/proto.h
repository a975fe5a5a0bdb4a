// proto.h - between pare's Model and onnx's protobuf messages; for the folder graph alone.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "pare/graph.h"

namespace pare {

/// Where a tensor's bytes lie outside the message.
struct ExternalPlace {
  std::string location;
  std::int64_t offset = 0;
  std::int64_t length = -1;  ///< -1: not given
};
/// Hands out the bytes of external data: dtype, shape and name are for messages and checks.
using ExternalReader = std::function<Tensor(const ExternalPlace&, DType, const Shape&, const std::string& name)>;

/// Takes the message's weights over (it is empty afterwards); nodes come back sorted, in subgraphs too. Throws
/// Error(kMalformedModel).
[[nodiscard]] Model from_proto(onnx::ModelProto& proto, const ExternalReader& external);

/// What a written tensor becomes.
struct WriteOptions {
  /// Called for every tensor of initializers and attributes; true: it has filled in the data (or its external place)
  /// itself.
  std::function<bool(const Tensor&, onnx::TensorProto&)> write_data;
  /// Initializers and Constant nodes of the main graph with more bytes become graph inputs of the same type: for
  /// checker and shape inference, which need no weights. -1: never.
  std::int64_t initializers_as_inputs_above = -1;
};
[[nodiscard]] onnx::ModelProto to_proto(const Model& model, const WriteOptions& options = {});
[[nodiscard]] ValueInfo from_proto(const onnx::ValueInfoProto& proto);
/// The value name of a serialized SparseTensorProto.
[[nodiscard]] std::string sparse_initializer_name(const std::string& bytes);

}  // namespace pare
