#include <fmt/format.h>

#include <algorithm>

#include <filesystem>
#include <optional>

#include "core/atomic_file.h"
#include "core/fail.h"
#include "core/temp_folder.h"
#include "runtime/backend.h"
#include "runtime/check_inputs.h"
#include "runtime/onnxruntime/library.h"
#include "runtime/onnxruntime/profile.h"
#include "runtime/onnxruntime/values.h"

namespace pare {
namespace {

bool has_symbolic_shape(const std::vector<ValueInfo>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const ValueInfo& info) { return !info.static_shape(); });
}

class OrtSession : public Session {
 public:
  OrtSession(ModelSource source, const SessionOptions& options)
      : library_(onnxruntime_library()),
        source_(std::move(source)),
        options_(options),
        inputs_(source_.inputs),
        outputs_(source_.outputs) {
    try {
      if (options.profile) profile_folder_.emplace();
      Ort::SessionOptions settings = make_settings();
      hand_over_weights(settings);
      session_ = source_.bytes.empty()
                     ? Ort::Session(*library_->env, source_.file.c_str(), settings)
                     : Ort::Session(*library_->env, source_.bytes.data(), source_.bytes.size(), settings);
      fill_output_types();
    } catch (const Ort::Exception& error) {
      fail_with(*library_, "ONNX Runtime does not load the model", error);
    }
    for (const ValueInfo& input : inputs_) input_pointers_.push_back(input.name.c_str());
    for (const std::string& name : source_.output_names) output_pointers_.push_back(name.c_str());
  }

  const std::vector<ValueInfo>& inputs() const override { return inputs_; }
  const std::vector<ValueInfo>& outputs() const override { return outputs_; }

  void bind(const NamedTensors& inputs) override {
    bound_ = false;
    check_inputs(inputs_, inputs);
    std::vector<Tensor> tensors;
    std::vector<Ort::Value> values;
    try {
      for (const ValueInfo& input : inputs_) {
        tensors.push_back(inputs.at(input.name));
        values.push_back(to_ort(tensors.back()));
      }
    } catch (const Ort::Exception& error) {
      fail_with(*library_, "ONNX Runtime does not take the inputs", error);
    }
    bound_values_ = std::move(values);
    bound_tensors_ = std::move(tensors);
    bound_ = true;
  }

  void run_bound() override {
    if (!bound_) fail(ErrorCode::kInvalidArgument, "nothing is bound to the session's inputs\n  remedy: call bind()");
    result_values_.clear();
    results_.clear();
    try {
      result_values_ = session_.Run(run_options_, input_pointers_.data(), bound_values_.data(), bound_values_.size(),
                                    output_pointers_.data(), output_pointers_.size());
    } catch (const Ort::Exception& error) {
      fail_with(*library_, "ONNX Runtime does not run the model on these inputs", error);
    }
  }

  std::vector<Tensor> results() override {
    if (results_.empty()) {
      if (result_values_.size() != outputs_.size())
        fail(ErrorCode::kInvalidArgument, "the session has not run yet\n  remedy: call run_bound() before results()");
      std::vector<Ort::Value> values = std::move(result_values_);
      std::vector<Tensor> tensors;
      for (std::size_t i = 0; i < values.size(); ++i)
        tensors.push_back(from_ort(std::move(values[i]), outputs_[i].name, library_));
      results_ = std::move(tensors);
    }
    return results_;
  }

  std::vector<NodeTime> profile() override {
    if (!profile_folder_ && !profile_)
      fail(ErrorCode::kInvalidArgument, "the session keeps no profile\n  remedy: open it with SessionOptions::profile");
    if (!profile_) {
      try {
        Ort::AllocatorWithDefaultOptions allocator;
        const Ort::AllocatedStringPtr file = session_.EndProfilingAllocated(allocator);
        profile_ = parse_profile(read_whole_file(file.get()));
      } catch (const Ort::Exception& error) {
        fail_with(*library_, "ONNX Runtime gives no profile", error);
      }
      profile_folder_.reset();
    }
    return *profile_;
  }

  std::string description() const override {
    return fmt::format("ONNX Runtime {}, {} thread{}{}", library_->version, options_.threads,
                       options_.threads == 1 ? "" : "s", options_.optimize ? "" : ", graph optimizations off");
  }

  std::unique_ptr<Session> reopen() const override { return reopen_source(source_, options_, bound_tensors_); }

 private:
  Ort::SessionOptions make_settings() const {
    Ort::SessionOptions settings;
    settings.SetIntraOpNumThreads(options_.threads);
    settings.SetInterOpNumThreads(1);
    settings.SetExecutionMode(ORT_SEQUENTIAL);
    settings.SetGraphOptimizationLevel(options_.optimize ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
    settings.SetLogSeverityLevel(ORT_LOGGING_LEVEL_ERROR);
    if (options_.threads == 1) {
      settings.AddConfigEntry("session.intra_op.allow_spinning", "0");
    } else {
      // Threads that spin on after a run would take the processor from the session that is timed next.
      settings.AddConfigEntry("session.force_spinning_stop", "1");
    }
    // The arena is bounded by the largest input seen, so it is left as it is: giving blocks back after runs of another
    // shape was tried and used more memory, not less. Weights stay outside of it.
    settings.AddConfigEntry("session.use_device_allocator_for_initializers", "1");
    // A memory pattern is one block per input shape seen: up to a third more memory, and no measurable gain in time.
    if (has_symbolic_shape(inputs_)) settings.DisableMemPattern();
    if (profile_folder_) settings.EnableProfiling((profile_folder_->path() / "profile").c_str());
    return settings;
  }

  /// ONNX Runtime reads the weights where they lie: no copy in a message, none in the session but those that kernels
  /// repack.
  void hand_over_weights(Ort::SessionOptions& settings) {
    if (source_.weights.empty()) return;
    std::vector<std::string> names;
    for (const auto& [name, tensor] : source_.weights) {
      names.push_back(name);
      weight_values_.push_back(to_ort(tensor));
    }
    settings.AddExternalInitializers(names, weight_values_);
  }

  void fill_output_types() {
    for (std::size_t i = 0; i < outputs_.size(); ++i)
      if (outputs_[i].dtype == DType::kUndefined && outputs_[i].opaque_type.empty())
        fill_type(outputs_[i], session_.GetOutputTypeInfo(i));
  }

  std::shared_ptr<OrtLibrary> library_;
  ModelSource source_;  // its weights are what weight_values_ look at
  SessionOptions options_;
  std::vector<ValueInfo> inputs_, outputs_;
  std::vector<const char*> input_pointers_, output_pointers_;
  std::optional<TempFolder> profile_folder_;
  std::optional<std::vector<NodeTime>> profile_;
  Ort::RunOptions run_options_;
  std::vector<Ort::Value> weight_values_;
  Ort::Session session_{nullptr};
  std::vector<Tensor> bound_tensors_;  // what bound_values_ look at
  std::vector<Ort::Value> bound_values_;
  bool bound_ = false;
  std::vector<Ort::Value> result_values_;
  std::vector<Tensor> results_;
};

}  // namespace

std::unique_ptr<Session> open_in_onnxruntime(ModelSource source, const SessionOptions& options) {
  return std::make_unique<OrtSession>(std::move(source), options);
}

std::string onnxruntime_version() { return onnxruntime_library()->version; }

}  // namespace pare
