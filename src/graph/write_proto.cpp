// The writing half of proto.h.
#include <algorithm>

#include "core/fail.h"
#include "graph/proto.h"

namespace pare {
namespace {

using onnx::AttributeProto;

template <class Repeated>
void write_pairs(const std::vector<std::pair<std::string, std::string>>& pairs, Repeated* out) {
  for (const auto& [key, value] : pairs) {
    auto* entry = out->Add();
    entry->set_key(key);
    entry->set_value(value);
  }
}

template <class Message>
void parse_opaque(const std::string& bytes, Message* message) {
  if (!message->ParseFromString(bytes))
    fail(ErrorCode::kInternal, "a message that was carried through cannot be read back");
}

class Writer {
 public:
  explicit Writer(const WriteOptions& options) : options_(options) {}

  void graph(const Graph& graph, onnx::GraphProto* proto, bool is_main) const {
    if (!graph.unread.empty()) parse_opaque(graph.unread, proto);
    proto->set_name(graph.name.empty() ? "graph" : graph.name);
    if (!graph.doc.empty()) proto->set_doc_string(graph.doc);
    write_pairs(graph.metadata, proto->mutable_metadata_props());
    for (const ValueInfo& info : graph.inputs) value_info(info, proto->add_input());
    for (const auto& entry : graph.initializers) {
      if (is_main && left_out(entry.tensor)) {
        typed_input(entry.name, entry.tensor, proto->add_input());
        continue;
      }
      auto* out = proto->add_initializer();
      out->set_name(entry.name);
      if (!entry.doc.empty()) out->set_doc_string(entry.doc);
      tensor(entry.tensor, out);
    }
    for (const std::string& bytes : graph.sparse_initializers) sparse(bytes, is_main, proto);
    for (const std::string& bytes : graph.quantization_annotations)
      parse_opaque(bytes, proto->add_quantization_annotation());
    for (const Node& entry : graph.nodes) {
      const Attribute* value = is_main && entry.is("Constant") ? entry.find_attribute("value") : nullptr;
      const Tensor* constant = value != nullptr ? std::get_if<Tensor>(&value->value) : nullptr;
      if (constant != nullptr && left_out(*constant)) {
        typed_input(entry.output(0), *constant, proto->add_input());
        continue;
      }
      node(entry, proto->add_node());
    }
    for (const ValueInfo& info : graph.outputs) value_info(info, proto->add_output());
    for (const ValueInfo& info : graph.value_info) value_info(info, proto->add_value_info());
  }

 private:
  [[nodiscard]] bool left_out(const Tensor& tensor) const {
    return options_.initializers_as_inputs_above >= 0 && tensor.size_bytes() > options_.initializers_as_inputs_above;
  }
  template <class Dims>
  static void typed_input(const std::string& name, int dtype, const Dims& dims, onnx::ValueInfoProto* proto) {
    proto->set_name(name);
    auto* type = proto->mutable_type()->mutable_tensor_type();
    type->set_elem_type(dtype);
    type->mutable_shape();
    for (const std::int64_t dim : dims) type->mutable_shape()->add_dim()->set_dim_value(dim);
  }
  static void typed_input(const std::string& name, const Tensor& tensor, onnx::ValueInfoProto* proto) {
    typed_input(name, static_cast<int>(tensor.dtype()), tensor.shape(), proto);
  }
  /// Nodes and runtimes see a sparse initializer as a dense value; onnx's shape inference alone does not.
  void sparse(const std::string& bytes, bool is_main, onnx::GraphProto* proto) const {
    onnx::SparseTensorProto message;
    parse_opaque(bytes, &message);
    if (is_main && options_.initializers_as_inputs_above >= 0)
      typed_input(message.values().name(), message.values().data_type(), message.dims(), proto->add_input());
    else
      message.Swap(proto->add_sparse_initializer());
  }

  void tensor(const Tensor& tensor, onnx::TensorProto* proto) const {
    proto->set_data_type(static_cast<int>(tensor.dtype()));
    for (const std::int64_t dim : tensor.shape()) proto->add_dims(dim);
    if (tensor.dtype() == DType::kString) {
      for (const std::string& text : tensor.strings()) proto->add_string_data(text);
      return;
    }
    if (options_.write_data && options_.write_data(tensor, *proto)) return;
    proto->set_raw_data(tensor.bytes().data(), tensor.bytes().size());
  }

  static void value_info(const ValueInfo& info, onnx::ValueInfoProto* proto) {
    proto->set_name(info.name);
    if (!info.doc.empty()) proto->set_doc_string(info.doc);
    write_pairs(info.metadata, proto->mutable_metadata_props());
    if (!info.opaque_type.empty()) {
      parse_opaque(info.opaque_type, proto->mutable_type());
      return;
    }
    if (!info.denotation.empty()) proto->mutable_type()->set_denotation(info.denotation);
    if (info.dtype == DType::kUndefined && !info.shape) return;
    auto* type = proto->mutable_type()->mutable_tensor_type();
    type->set_elem_type(static_cast<int>(info.dtype));
    if (!info.shape) return;
    type->mutable_shape();
    for (const Dim& dim : *info.shape) {
      auto* out = type->mutable_shape()->add_dim();
      if (dim.value) out->set_dim_value(*dim.value);
      if (!dim.symbol.empty()) out->set_dim_param(dim.symbol);
      if (!dim.denotation.empty()) out->set_denotation(dim.denotation);
    }
  }

  void attribute(const Attribute& attribute, AttributeProto* proto) const {
    if (const auto* opaque = std::get_if<OpaqueProto>(&attribute.value)) {
      parse_opaque(opaque->bytes, proto);
      return;
    }
    proto->set_name(attribute.name);
    if (!attribute.doc.empty()) proto->set_doc_string(attribute.doc);
    std::visit([&](const auto& value) { this->value(value, proto); }, attribute.value);
  }
  static void value(std::int64_t value, AttributeProto* proto) {
    proto->set_type(AttributeProto::INT), proto->set_i(value);
  }
  static void value(float value, AttributeProto* proto) { proto->set_type(AttributeProto::FLOAT), proto->set_f(value); }
  static void value(const std::string& value, AttributeProto* proto) {
    proto->set_type(AttributeProto::STRING), proto->set_s(value);
  }
  void value(const Tensor& value, AttributeProto* proto) const {
    proto->set_type(AttributeProto::TENSOR), tensor(value, proto->mutable_t());
  }
  void value(const std::shared_ptr<const Graph>& value, AttributeProto* proto) const {
    proto->set_type(AttributeProto::GRAPH), graph(*value, proto->mutable_g(), false);
  }
  static void value(const std::vector<std::int64_t>& values, AttributeProto* proto) {
    proto->set_type(AttributeProto::INTS);
    for (const std::int64_t entry : values) proto->add_ints(entry);
  }
  static void value(const std::vector<float>& values, AttributeProto* proto) {
    proto->set_type(AttributeProto::FLOATS);
    for (const float entry : values) proto->add_floats(entry);
  }
  static void value(const std::vector<std::string>& values, AttributeProto* proto) {
    proto->set_type(AttributeProto::STRINGS);
    for (const std::string& entry : values) proto->add_strings(entry);
  }
  void value(const std::vector<Tensor>& values, AttributeProto* proto) const {
    proto->set_type(AttributeProto::TENSORS);
    for (const Tensor& entry : values) tensor(entry, proto->add_tensors());
  }
  void value(const std::vector<std::shared_ptr<const Graph>>& values, AttributeProto* proto) const {
    proto->set_type(AttributeProto::GRAPHS);
    for (const auto& entry : values) graph(*entry, proto->add_graphs(), false);
  }
  static void value(const OpaqueProto&, AttributeProto*) {}  // handled above

  void node(const Node& node, onnx::NodeProto* proto) const {
    if (!node.unread.empty()) parse_opaque(node.unread, proto);
    if (!node.name.empty()) proto->set_name(node.name);
    proto->set_op_type(node.op_type);
    if (!node.domain.empty()) proto->set_domain(node.domain);
    if (!node.overload.empty()) proto->set_overload(node.overload);
    if (!node.doc.empty()) proto->set_doc_string(node.doc);
    write_pairs(node.metadata, proto->mutable_metadata_props());
    for (const std::string& input : node.inputs) proto->add_input(input);
    for (const std::string& output : node.outputs) proto->add_output(output);
    for (const Attribute& entry : node.attributes) attribute(entry, proto->add_attribute());
  }

  const WriteOptions& options_;
};

}  // namespace

onnx::ModelProto to_proto(const Model& model, const WriteOptions& options) {
  onnx::ModelProto proto;
  if (!model.unread.empty()) parse_opaque(model.unread, &proto);
  // Before IR 4 every initializer had to be listed as an input; from 4 on that is not needed, and it blocks the
  // runtimes' optimizations.
  proto.set_ir_version(std::max<std::int64_t>(model.ir_version, 4));
  for (const OpsetImport& import : model.opset_imports) {
    auto* entry = proto.add_opset_import();
    entry->set_domain(import.domain);
    entry->set_version(import.version);
  }
  if (!model.producer_name.empty()) proto.set_producer_name(model.producer_name);
  if (!model.producer_version.empty()) proto.set_producer_version(model.producer_version);
  if (!model.domain.empty()) proto.set_domain(model.domain);
  if (model.model_version != 0) proto.set_model_version(model.model_version);
  if (!model.doc.empty()) proto.set_doc_string(model.doc);
  write_pairs(model.metadata, proto.mutable_metadata_props());
  for (const std::string& bytes : model.functions) parse_opaque(bytes, proto.add_functions());
  for (const std::string& bytes : model.training_info) parse_opaque(bytes, proto.add_training_info());
  Writer(options).graph(model.graph, proto.mutable_graph(), true);
  return proto;
}

}  // namespace pare
