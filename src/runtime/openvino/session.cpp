#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <openvino/openvino.hpp>

#include "core/fail.h"
#include "core/words.h"
#include "runtime/backend.h"
#include "runtime/check_inputs.h"
#include "runtime/openvino/core.h"
#include "runtime/openvino/values.h"

namespace pare {
namespace {

/// "bf16", and "int8 + bf16" when layers that multiply run on 8-bit integers. What the compiled graph says, not what
/// was asked for.
std::string precision_of(const ov::CompiledModel& compiled) {
  std::string precision = compiled.get_property(ov::hint::inference_precision).get_type_name();
  if (precision == "f32") precision = "float32";
  if (precision == "f16") precision = "float16";
  for (const auto& node : compiled.get_runtime_model()->get_ops()) {
    const auto& info = node->get_rt_info();
    const auto type = info.find("layerType");
    const auto runs_in = info.find("runtimePrecision");
    if (type == info.end() || runs_in == info.end()) continue;
    const auto& layer = type->second.as<std::string>();
    if (layer != "Convolution" && layer != "FullyConnected" && layer != "MatMul" && layer != "Deconvolution") continue;
    const auto& kernel = runs_in->second.as<std::string>();
    if (kernel == "I8" || kernel == "U8" || kernel == "i8" || kernel == "u8") return "int8 + " + precision;
  }
  return precision;
}

class OpenVinoSession : public Session {
 public:
  OpenVinoSession(ModelSource source, const SessionOptions& options)
      : core_(openvino_core()),
        source_(std::move(source)),
        options_(options),
        inputs_(source_.inputs),
        outputs_(source_.outputs) {
    try {
      const std::shared_ptr<ov::Model> model = source_.bytes.empty() ? core_->read_model(source_.file.string())
                                                                     : core_->read_model(source_.bytes, ov::Tensor());
      compiled_ = core_->compile_model(model, "CPU", settings());
      request_ = compiled_.create_infer_request();
      precision_ = precision_of(compiled_);
      if (model->is_dynamic()) dynamic_model_ = model;
      for (const ValueInfo& input : inputs_) input_ports_.push_back(find_port(compiled_.inputs(), input.name));
      for (std::size_t i = 0; i < outputs_.size(); ++i) add_output(source_.output_names[i], outputs_[i]);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail_with("OpenVINO does not load the model", error);
    }
  }

  const std::vector<ValueInfo>& inputs() const override { return inputs_; }
  const std::vector<ValueInfo>& outputs() const override { return outputs_; }

  void bind(const NamedTensors& inputs) override {
    bound_ = false;
    check_inputs(inputs_, inputs);
    std::vector<Tensor> tensors;
    try {
      check_shapes(inputs);
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        tensors.push_back(inputs.at(inputs_[i].name));
        // OpenVINO drops inputs that nothing reads.
        if (input_ports_[i]) request_.set_tensor(*input_ports_[i], to_openvino(tensors.back()));
      }
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail_with("OpenVINO does not run the model on these inputs", error);
    }
    bound_tensors_ = std::move(tensors);
    bound_ = true;
  }

  void run_bound() override {
    if (!bound_) fail(ErrorCode::kInvalidArgument, "nothing is bound to the session's inputs\n  remedy: call bind()");
    has_run_ = false;
    try {
      request_.infer();
      if (options_.profile) add_profile();
    } catch (const std::exception& error) {
      fail_with("OpenVINO does not run the model on these inputs", error);
    }
    has_run_ = true;
  }

  std::vector<Tensor> results() override {
    if (!has_run_)
      fail(ErrorCode::kInvalidArgument, "the session has not run yet\n  remedy: call run_bound() before results()");
    std::vector<Tensor> results;
    try {
      for (std::size_t i = 0; i < outputs_.size(); ++i)
        results.push_back(from_openvino(request_.get_tensor(output_ports_[i]), outputs_[i].name));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      fail_with("OpenVINO does not give the outputs", error);
    }
    return results;
  }

  std::vector<NodeTime> profile() override {
    if (!options_.profile)
      fail(ErrorCode::kInvalidArgument, "the session keeps no profile\n  remedy: open it with SessionOptions::profile");
    std::vector<NodeTime> out;
    for (const auto& [name, node] : profile_) out.push_back(node);
    std::stable_sort(out.begin(), out.end(),
                     [](const NodeTime& a, const NodeTime& b) { return a.total_ms > b.total_ms; });
    return out;
  }

  std::string description() const override {
    return fmt::format("OpenVINO {}, {} thread{}, {}{}", openvino_version(), options_.threads,
                       options_.threads == 1 ? "" : "s", precision_,
                       options_.optimize ? "" : ", fused subgraphs off (the other optimizations cannot be)");
  }

  std::unique_ptr<Session> reopen() const override { return reopen_source(source_, options_, bound_tensors_); }

 private:
  ov::AnyMap settings() const {
    ov::AnyMap map = {ov::inference_num_threads(options_.threads), ov::num_streams(1),
                      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                      // Pinned threads would be alone in not moving away from a busy processor.
                      ov::hint::enable_cpu_pinning(false), ov::enable_profiling(options_.profile)};
    if (options_.force_float32 || !options_.optimize) map.insert(ov::hint::inference_precision(ov::element::f32));
    if (!options_.optimize) map["SNIPPETS_MODE"] = "DISABLE";
    return map;
  }

  /// OpenVINO's kernels trust the shapes that they are given: a product of [1, 5] and [3, 2] is computed, wrongly, from
  /// whatever lies in memory. Giving a copy of the model the shapes makes its operators check them, once for each
  /// shape.
  void check_shapes(const NamedTensors& inputs) {
    if (dynamic_model_ == nullptr) return;
    std::map<std::string, ov::PartialShape> shapes;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Shape& shape = inputs.at(inputs_[i].name).shape();
      if (input_ports_[i]) shapes[inputs_[i].name] = ov::Shape(shape.begin(), shape.end());
    }
    if (std::find(checked_shapes_.begin(), checked_shapes_.end(), shapes) != checked_shapes_.end()) return;
    dynamic_model_->clone()->reshape(shapes);
    if (checked_shapes_.size() == kShapesRemembered) checked_shapes_.erase(checked_shapes_.begin());
    checked_shapes_.push_back(std::move(shapes));
  }

  static std::optional<ov::Output<const ov::Node>> find_port(const std::vector<ov::Output<const ov::Node>>& ports,
                                                             const std::string& name) {
    for (const auto& port : ports)
      if (port.get_names().contains(name)) return port;
    return std::nullopt;
  }

  void add_output(const std::string& name, ValueInfo& info) {
    const auto port = find_port(compiled_.outputs(), name);
    if (!port) fail(ErrorCode::kUnsupported, "OpenVINO does not offer the output '{}' of the model", info.name);
    if (info.dtype == DType::kUndefined && info.opaque_type.empty())
      info.dtype = from_openvino(port->get_element_type());
    output_ports_.push_back(*port);
  }

  void add_profile() {
    for (const ov::ProfilingInfo& info : request_.get_profiling_info()) {
      if (info.status != ov::ProfilingInfo::Status::EXECUTED) continue;
      NodeTime& node = profile_[info.node_name];
      node.name = info.node_name;
      node.op_type = info.node_type;
      node.total_ms += static_cast<double>(info.real_time.count()) / 1000;
      ++node.calls;
    }
  }

  static constexpr std::size_t kShapesRemembered = 8;

  std::shared_ptr<ov::Core> core_;
  ModelSource source_;
  SessionOptions options_;
  std::vector<ValueInfo> inputs_, outputs_;
  std::shared_ptr<const ov::Model> dynamic_model_;  // null: all shapes are fixed, and OpenVINO checks the inputs itself
  std::vector<std::map<std::string, ov::PartialShape>> checked_shapes_;
  ov::CompiledModel compiled_;
  ov::InferRequest request_;
  std::string precision_;
  std::vector<std::optional<ov::Output<const ov::Node>>> input_ports_;
  std::vector<ov::Output<const ov::Node>> output_ports_;
  std::vector<Tensor> bound_tensors_;  // what the request's input tensors look at
  bool bound_ = false;
  bool has_run_ = false;
  std::map<std::string, NodeTime> profile_;
};

}  // namespace

std::unique_ptr<Session> open_in_openvino(ModelSource source, const SessionOptions& options) {
  return std::make_unique<OpenVinoSession>(std::move(source), options);
}

}  // namespace pare
