#include "pare/model_io.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>
#include <set>
#include <unordered_set>

#include "core/atomic_file.h"
#include "core/fail.h"
#include "graph/external_data.h"
#include "graph/proto.h"
#include "graph/sniff.h"

namespace pare {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kProtobufLimit = std::numeric_limits<std::int32_t>::max();

/// Walks through a mapped file window by window and lets go of what is behind: the weights move into strings of the
/// message, and the file need not stay in memory beside them.
class WindowStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit WindowStream(const MappedFile& file) : file_(file) {}
  bool Next(const void** data, int* size) override {
    file_.forget(start_, next_ - start_);
    start_ = next_;
    const std::size_t left = file_.bytes().size() - next_;
    if (left == 0) return false;
    const std::size_t window = std::min(left, kWindow);
    *data = file_.bytes().data() + next_;
    *size = static_cast<int>(window);
    next_ += window;
    return true;
  }
  void BackUp(int count) override { next_ -= static_cast<std::size_t>(count); }
  bool Skip(int count) override {
    const std::size_t left = file_.bytes().size() - next_;
    next_ += std::min(left, static_cast<std::size_t>(count));
    return static_cast<std::size_t>(count) <= left;
  }
  [[nodiscard]] std::int64_t ByteCount() const override { return static_cast<std::int64_t>(next_); }

 private:
  static constexpr std::size_t kWindow = std::size_t{8} << 20;
  const MappedFile& file_;
  std::size_t start_ = 0, next_ = 0;
};

Model parse(std::span<const std::byte> bytes, google::protobuf::io::ZeroCopyInputStream& stream,
            const std::string& what, const ExternalReader& external) {
  if (const std::string foreign = describe_foreign_file(bytes); !foreign.empty())
    fail(ErrorCode::kMalformedModel, "{} is not an ONNX file: it is {}", what, foreign);
  if (static_cast<std::int64_t>(bytes.size()) > kProtobufLimit)
    fail(ErrorCode::kMalformedModel,
         "{} has {} bytes; an ONNX file can have 2 GiB at most\n  remedy: export it with external data", what,
         bytes.size());
  onnx::ModelProto proto;
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  coded.SetRecursionLimit(200);
  const bool whole = proto.ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage();
  if (!whole && proto.has_graph())
    fail(ErrorCode::kMalformedModel, "{} is a truncated or damaged ONNX file\n  remedy: download or export it again",
         what);
  if (!whole || !proto.has_graph())
    fail(ErrorCode::kMalformedModel,
         "{} is not an ONNX file (or damaged from its start)\n  remedy: export the network to ONNX", what);
  if (proto.graph().node_size() == 0 && proto.graph().output_size() == 0)
    fail(ErrorCode::kMalformedModel, "{} holds an empty graph\n  remedy: export the network again", what);
  if (proto.opset_import_size() == 0 && proto.ir_version() >= 3)
    fail(ErrorCode::kMalformedModel,
         "{} imports no operator set: it is truncated, or was written wrongly\n  remedy: download or export it again",
         what);
  return from_proto(proto, external);
}

/// Bytes that the weights alone take when serialized.
std::int64_t weight_bytes(const Graph& graph) {
  std::int64_t total = 0;
  for (const auto& entry : graph.initializers) total += entry.tensor.size_bytes();
  for (const Node& node : graph.nodes)
    for (const Attribute& attribute : node.attributes) {
      if (const auto* tensor = std::get_if<Tensor>(&attribute.value)) total += tensor->size_bytes();
      if (const auto* inner = std::get_if<std::shared_ptr<const Graph>>(&attribute.value))
        total += weight_bytes(**inner);
    }
  return total;
}

void write_entry(onnx::TensorProto& proto, const char* key, const std::string& value) {
  auto* entry = proto.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

void check_size(const onnx::ModelProto& proto) {
  if (static_cast<std::int64_t>(proto.ByteSizeLong()) > kProtobufLimit)
    fail(ErrorCode::kUnsupported,
         "the model takes {} bytes; one protobuf message holds 2 GiB at most\n  remedy: save it with external data",
         proto.ByteSizeLong());
}

/// Hands what protobuf writes on to the file, so that no second copy of the weights is made. An error waits in `error`
/// until protobuf, which knows no exceptions, has come back.
class FileStream final : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileStream(AtomicFile& file) : file_(file) {}
  bool Write(const void* data, int size) override {
    try {
      file_.write(data, static_cast<std::size_t>(size));
      return true;
    } catch (const Error&) {
      error = std::current_exception();
      return false;
    }
  }
  std::exception_ptr error;

 private:
  AtomicFile& file_;
};

void write_proto(const onnx::ModelProto& proto, AtomicFile& file) {
  check_size(proto);
  FileStream stream(file);
  bool written = false;
  {
    google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream, 1 << 20);
    written = proto.SerializeToZeroCopyStream(&adaptor) && adaptor.Flush();
  }
  if (stream.error) std::rethrow_exception(stream.error);
  if (!written) fail(ErrorCode::kInternal, "the model could not be serialized");
}

}  // namespace

Model load_model(const fs::path& path, const LoadOptions& options) {
  std::error_code error;
  if (!fs::exists(path, error)) fail(ErrorCode::kIo, "cannot read {}: no such file", path.string());
  const MappedFile file(path);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  WindowStream stream(file);
  return parse(file.bytes(), stream, path.string(), external_reader(folder, options.allow_external_links));
}

Model parse_model(std::span<const std::byte> bytes, const fs::path& folder) {
  // A size that no int holds is refused before the stream is read.
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return parse(bytes, stream, "the model in memory", external_reader(folder, false));
}

void save_model(const Model& model, const fs::path& path, const SaveOptions& options) {
  AtomicFile file(path);
  if (weight_bytes(model.graph) < options.external_threshold_bytes) {
    write_proto(to_proto(model), file);
    file.commit();
    return;
  }
  const fs::path data_path = path.string() + ".data";
  AtomicFile data(data_path);
  constexpr std::int64_t kAlignment = 64;
  const std::string padding(kAlignment, '\0');
  const onnx::ModelProto proto = to_proto(model, {.write_data = [&](const Tensor& tensor, onnx::TensorProto& out) {
                                            if (tensor.size_bytes() < options.external_tensor_bytes) return false;
                                            const std::int64_t gap =
                                                (kAlignment - data.written() % kAlignment) % kAlignment;
                                            data.write(padding.data(), static_cast<std::size_t>(gap));
                                            out.set_data_location(onnx::TensorProto::EXTERNAL);
                                            write_entry(out, "location", data_path.filename().string());
                                            write_entry(out, "offset", std::to_string(data.written()));
                                            write_entry(out, "length", std::to_string(tensor.size_bytes()));
                                            data.write(tensor.bytes().data(), tensor.bytes().size());
                                            return true;
                                          }});
  write_proto(proto, file);
  file.close();
  data.commit();
  file.commit();
}

std::string serialize_model(const Model& model) {
  const onnx::ModelProto proto = to_proto(model);
  check_size(proto);
  return proto.SerializeAsString();
}

SlimModel serialize_without_weights(const Model& model, std::int64_t bytes) {
  SlimModel slim;
  // Runtimes drop an initializer that no node reads, and then miss it when it is handed over.
  std::unordered_set<std::string> read;
  for (const Node& node : model.graph.nodes) read.insert(node.inputs.begin(), node.inputs.end());
  const onnx::ModelProto proto = to_proto(model, {.write_data = [&](const Tensor& tensor, onnx::TensorProto& out) {
                                            if (tensor.size_bytes() <= bytes || !read.contains(out.name()))
                                              return false;
                                            const Tensor* weight = model.graph.initializers.find(out.name());
                                            if (weight == nullptr || weight->bytes().data() != tensor.bytes().data())
                                              return false;
                                            out.set_data_location(onnx::TensorProto::EXTERNAL);
                                            write_entry(out, "location", "weights");
                                            slim.left_out.push_back(out.name());
                                            return true;
                                          }});
  check_size(proto);
  slim.bytes = proto.SerializeAsString();
  return slim;
}

std::int64_t size_on_disk(const fs::path& path) {
  std::error_code error;
  auto total = static_cast<std::int64_t>(fs::file_size(path, error));
  if (error) fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), error.message());
  std::set<fs::path> seen;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const ExternalReader reader = external_reader(folder, true);
  const MappedFile file(path);
  WindowStream stream(file);
  parse(file.bytes(), stream, path.string(),
        [&](const ExternalPlace& place, DType dtype, const Shape& shape, const std::string& name) {
          if (seen.insert(fs::weakly_canonical(folder / place.location, error)).second)
            total += static_cast<std::int64_t>(fs::file_size(folder / place.location, error));
          return reader(place, dtype, shape, name);
        });
  return total;
}

}  // namespace pare
