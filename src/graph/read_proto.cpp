// The reading half of proto.h.
#include <charconv>
#include <cstring>

#include "core/fail.h"
#include "graph/proto.h"

namespace pare {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;

std::string normalized(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

template <class Repeated>
std::vector<std::pair<std::string, std::string>> pairs(const Repeated& entries) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const auto& entry : entries) result.emplace_back(entry.key(), entry.value());
  return result;
}

// What is left of a message when everything that pare reads is gone: fields of newer ONNX versions, and those that pare
// carries through unread.
std::string unread(onnx::NodeProto& proto) {
  proto.clear_name(), proto.clear_op_type(), proto.clear_domain(), proto.clear_overload(), proto.clear_doc_string();
  proto.clear_input(), proto.clear_output(), proto.clear_attribute(), proto.clear_metadata_props();
  return proto.SerializeAsString();
}
std::string unread(onnx::GraphProto& proto) {
  proto.clear_name(), proto.clear_doc_string(), proto.clear_metadata_props(), proto.clear_node();
  proto.clear_initializer(), proto.clear_sparse_initializer(), proto.clear_quantization_annotation();
  proto.clear_input(), proto.clear_output(), proto.clear_value_info();
  return proto.SerializeAsString();
}
std::string unread(onnx::ModelProto& proto) {
  proto.clear_ir_version(), proto.clear_opset_import(), proto.clear_producer_name(), proto.clear_producer_version();
  proto.clear_domain(), proto.clear_model_version(), proto.clear_doc_string(), proto.clear_graph();
  proto.clear_metadata_props(), proto.clear_functions(), proto.clear_training_info();
  return proto.SerializeAsString();
}

template <class To, class Repeated>
Tensor gathered(DType dtype, Shape shape, const Repeated& values) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(values.size()) * sizeof(To));
  auto* next = reinterpret_cast<To*>(bytes.data());
  for (const auto value : values) *next++ = static_cast<To>(value);
  return Tensor::from_bytes(dtype, std::move(shape), std::move(bytes));
}

class Reader {
 public:
  explicit Reader(const ExternalReader& external) : external_(external) {}

  Tensor tensor(TensorProto& proto) const {
    Shape shape(proto.dims().begin(), proto.dims().end());
    const auto dtype = static_cast<DType>(proto.data_type());
    if (dtype_name(dtype) == "undefined")
      fail(ErrorCode::kMalformedModel, "tensor '{}' has the unknown element type {}", proto.name(), proto.data_type());
    try {
      return data(proto, dtype, std::move(shape));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      fail(ErrorCode::kMalformedModel, "tensor '{}': {}", proto.name(), error.what());
    }
  }

  Graph graph(onnx::GraphProto& proto) const {
    Graph graph;
    graph.name = proto.name();
    graph.doc = proto.doc_string();
    graph.metadata = pairs(proto.metadata_props());
    for (TensorProto& entry : *proto.mutable_initializer()) {
      if (graph.initializers.contains(entry.name()))
        fail(ErrorCode::kMalformedModel, "initializer '{}' is defined twice", entry.name());
      graph.initializers.set(entry.name(), tensor(entry), entry.doc_string());
    }
    for (const auto& sparse : proto.sparse_initializer())
      graph.sparse_initializers.push_back(sparse.SerializeAsString());
    for (const auto& annotation : proto.quantization_annotation())
      graph.quantization_annotations.push_back(annotation.SerializeAsString());
    for (const auto& info : proto.input()) graph.inputs.push_back(from_proto(info));
    for (const auto& info : proto.output()) graph.outputs.push_back(from_proto(info));
    for (const auto& info : proto.value_info()) graph.value_info.push_back(from_proto(info));
    graph.nodes.reserve(static_cast<std::size_t>(proto.node_size()));
    for (onnx::NodeProto& entry : *proto.mutable_node()) graph.nodes.push_back(node(entry));
    graph.unread = unread(proto);
    sort_topologically(graph);
    return graph;
  }

 private:
  Tensor data(TensorProto& proto, DType dtype, Shape shape) const {
    if (proto.data_location() == TensorProto::EXTERNAL) {
      ExternalPlace place;
      for (const auto& entry : proto.external_data()) {
        if (entry.key() == "location") place.location = entry.value();
        if (entry.key() == "offset") place.offset = number(entry.value(), proto.name());
        if (entry.key() == "length") place.length = number(entry.value(), proto.name());
      }
      return external_(place, dtype, shape, proto.name());
    }
    if (dtype == DType::kString)
      return Tensor::from_strings(std::move(shape), {proto.string_data().begin(), proto.string_data().end()});
    if (proto.has_raw_data() && (!proto.raw_data().empty() || element_count(shape) == 0)) {
      auto owner = std::make_shared<const std::string>(std::move(*proto.mutable_raw_data()));
      const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(owner->data()), owner->size());
      return Tensor::view(dtype, std::move(shape), std::move(owner), bytes);
    }
    switch (dtype) {
      case DType::kFloat32:
        return gathered<float>(dtype, std::move(shape), proto.float_data());
      case DType::kComplex64:
        return gathered<float>(dtype, std::move(shape), proto.float_data());
      case DType::kFloat64:
      case DType::kComplex128:
        return gathered<double>(dtype, std::move(shape), proto.double_data());
      case DType::kInt64:
        return gathered<std::int64_t>(dtype, std::move(shape), proto.int64_data());
      case DType::kUint32:
        return gathered<std::uint32_t>(dtype, std::move(shape), proto.uint64_data());
      case DType::kUint64:
        return gathered<std::uint64_t>(dtype, std::move(shape), proto.uint64_data());
      case DType::kInt32:
        return gathered<std::int32_t>(dtype, std::move(shape), proto.int32_data());
      default:
        break;
    }
    return dtype_bits(dtype) == 16 ? gathered<std::uint16_t>(dtype, std::move(shape), proto.int32_data())
                                   : gathered<std::uint8_t>(dtype, std::move(shape), proto.int32_data());
  }

  static std::int64_t number(const std::string& text, const std::string& tensor) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      fail(ErrorCode::kMalformedModel, "tensor '{}': '{}' is no offset or length of external data", tensor, text);
    return value;
  }

  static AttributeProto::AttributeType type_of(const AttributeProto& proto) {
    if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
    // Files of the first IR versions leave the type out: it is the field that is there.
    if (proto.has_f()) return AttributeProto::FLOAT;
    if (proto.has_i()) return AttributeProto::INT;
    if (proto.has_s()) return AttributeProto::STRING;
    if (proto.has_t()) return AttributeProto::TENSOR;
    if (proto.has_g()) return AttributeProto::GRAPH;
    if (proto.floats_size() > 0) return AttributeProto::FLOATS;
    if (proto.ints_size() > 0) return AttributeProto::INTS;
    if (proto.strings_size() > 0) return AttributeProto::STRINGS;
    return AttributeProto::UNDEFINED;
  }

  Attribute attribute(AttributeProto& proto) const {
    Attribute attribute{proto.name(), {}, proto.doc_string()};
    if (!proto.ref_attr_name().empty()) {
      attribute.value = OpaqueProto{proto.type(), proto.SerializeAsString()};
      return attribute;
    }
    switch (type_of(proto)) {
      case AttributeProto::FLOAT:
        attribute.value = proto.f();
        break;
      case AttributeProto::INT:
        attribute.value = static_cast<std::int64_t>(proto.i());
        break;
      case AttributeProto::STRING:
        attribute.value = proto.s();
        break;
      case AttributeProto::TENSOR:
        attribute.value = tensor(*proto.mutable_t());
        break;
      case AttributeProto::GRAPH:
        attribute.value = std::make_shared<const Graph>(graph(*proto.mutable_g()));
        break;
      case AttributeProto::FLOATS:
        attribute.value = std::vector<float>(proto.floats().begin(), proto.floats().end());
        break;
      case AttributeProto::INTS:
        attribute.value = std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
        break;
      case AttributeProto::STRINGS:
        attribute.value = std::vector<std::string>(proto.strings().begin(), proto.strings().end());
        break;
      case AttributeProto::TENSORS: {
        std::vector<Tensor> tensors;
        for (TensorProto& entry : *proto.mutable_tensors()) tensors.push_back(tensor(entry));
        attribute.value = std::move(tensors);
        break;
      }
      case AttributeProto::GRAPHS: {
        std::vector<std::shared_ptr<const Graph>> graphs;
        for (auto& entry : *proto.mutable_graphs()) graphs.push_back(std::make_shared<const Graph>(graph(entry)));
        attribute.value = std::move(graphs);
        break;
      }
      default:
        attribute.value = OpaqueProto{proto.type(), proto.SerializeAsString()};
    }
    return attribute;
  }

  Node node(onnx::NodeProto& proto) const {
    Node node;
    node.name = proto.name();
    node.op_type = proto.op_type();
    node.domain = normalized(proto.domain());
    node.overload = proto.overload();
    node.doc = proto.doc_string();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    node.metadata = pairs(proto.metadata_props());
    for (AttributeProto& entry : *proto.mutable_attribute()) node.attributes.push_back(attribute(entry));
    node.unread = unread(proto);
    return node;
  }

  const ExternalReader& external_;
};

}  // namespace

ValueInfo from_proto(const onnx::ValueInfoProto& proto) {
  ValueInfo info;
  info.name = proto.name();
  info.doc = proto.doc_string();
  info.metadata = pairs(proto.metadata_props());
  if (!proto.has_type()) return info;
  if (!proto.type().has_tensor_type()) {
    if (proto.type().value_case() != onnx::TypeProto::VALUE_NOT_SET)
      info.opaque_type = proto.type().SerializeAsString();
    return info;
  }
  const auto& type = proto.type().tensor_type();
  info.dtype = static_cast<DType>(type.elem_type());
  info.denotation = proto.type().denotation();
  if (!type.has_shape()) return info;
  std::vector<Dim> dims;
  for (const auto& entry : type.shape().dim()) {
    Dim dim;
    // Some exporters write -1 for "any".
    if (entry.has_dim_value() && entry.dim_value() >= 0) dim.value = entry.dim_value();
    if (entry.has_dim_param()) dim.symbol = entry.dim_param();
    dim.denotation = entry.denotation();
    dims.push_back(std::move(dim));
  }
  info.shape = std::move(dims);
  return info;
}

Model from_proto(onnx::ModelProto& proto, const ExternalReader& external) {
  Model model;
  model.ir_version = proto.ir_version();
  for (const auto& entry : proto.opset_import())
    model.opset_imports.push_back({normalized(entry.domain()), entry.version()});
  // Files older than IR 3 name no operator set; ONNX reads them as version 1.
  if (model.opset_imports.empty() && model.ir_version < 3) model.opset_imports.push_back({"", 1});
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.domain = proto.domain();
  model.model_version = proto.model_version();
  model.doc = proto.doc_string();
  model.metadata = pairs(proto.metadata_props());
  for (const auto& entry : proto.functions()) model.functions.push_back(entry.SerializeAsString());
  for (const auto& entry : proto.training_info()) model.training_info.push_back(entry.SerializeAsString());
  model.graph = Reader(external).graph(*proto.mutable_graph());
  std::vector<ValueInfo> inputs;
  for (ValueInfo& input : model.graph.inputs)
    (model.graph.initializers.contains(input.name) ? model.weights_as_inputs : inputs).push_back(std::move(input));
  model.graph.inputs = std::move(inputs);
  model.unread = unread(proto);
  return model;
}

std::string sparse_initializer_name(const std::string& bytes) {
  onnx::SparseTensorProto sparse;
  return sparse.ParseFromString(bytes) ? sparse.values().name() : std::string();
}

}  // namespace pare
