// pare/session.h - a model loaded in an inference runtime, ready to run and to be timed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pare/graph.h"
#include "pare/tensor.h"

namespace pare {

enum class Runtime { kOnnxRuntime, kOpenVino };

[[nodiscard]] std::string_view runtime_name(Runtime runtime) noexcept;  ///< "ONNX Runtime", "OpenVINO"
/// "onnxruntime", "openvino". Throws Error(kInvalidArgument).
[[nodiscard]] Runtime parse_runtime(std::string_view word);
/// Whether this build has it and its library can be opened; if not, `*why` says why and how to get it.
[[nodiscard]] bool runtime_available(Runtime runtime, std::string* why = nullptr);
/// "1.31.1". Throws Error(kUnsupported) when it is not available.
[[nodiscard]] std::string runtime_version(Runtime runtime);

using NamedTensors = std::map<std::string, Tensor>;

struct SessionOptions {
  Runtime runtime = Runtime::kOnnxRuntime;
  int threads = 1;
  bool optimize = true;  ///< the runtime's own graph optimizations; off for the structural check
  bool profile = false;  ///< keep per-node times (slower)
  /// OpenVINO computes in bf16 by default on CPUs that have it. true: force float32.
  bool force_float32 = false;
  /// Inner values that become outputs after the model's own, in this order. Unknown names throw
  /// Error(kInvalidArgument).
  std::vector<std::string> extra_outputs = {};
};

struct NodeTime {
  std::string name;     ///< as the runtime calls it (fused nodes keep one of their names)
  std::string op_type;  ///< the kernel's
  double total_ms = 0;  ///< over all runs since the session was opened
  std::int64_t calls = 0;
};

/// Not thread-safe: one thread at a time. Created by open_session.
class Session {
 public:
  virtual ~Session() = default;
  [[nodiscard]] virtual const std::vector<ValueInfo>& inputs() const = 0;
  [[nodiscard]] virtual const std::vector<ValueInfo>& outputs() const = 0;  ///< the model's, then the extra ones
  /// Fixes what run_bound() reads. Missing, unknown, wrongly typed or shaped inputs throw Error(kInvalidArgument):
  /// "expected [N, 4, H, W] float32, got ...".
  virtual void bind(const NamedTensors& inputs) = 0;
  /// One inference on what is bound; this alone is what a benchmark times.
  virtual void run_bound() = 0;
  /// Outputs of the last run, in the order of outputs(). Valid on their own.
  [[nodiscard]] virtual std::vector<Tensor> results() = 0;
  /// Per-node times; needs SessionOptions::profile, ends the profile.
  [[nodiscard]] virtual std::vector<NodeTime> profile() = 0;
  /// "ONNX Runtime 1.31.1, 1 thread", "OpenVINO 2026.4.1, 1 thread, bf16".
  [[nodiscard]] virtual std::string description() const = 0;

  /// The same model opened once more, in other memory, with the same inputs bound; null where that cannot be done, for
  /// its file is gone or it was made up by a test.
  [[nodiscard]] virtual std::unique_ptr<Session> reopen() const { return nullptr; }

  /// bind, run_bound, results.
  std::vector<Tensor> run(const NamedTensors& inputs);
};

/// Throws Error(kUnsupported) with the runtime's own message quoted after ours when the model does not load.
[[nodiscard]] std::unique_ptr<Session> open_session(const Model& model, const SessionOptions& options = {});
[[nodiscard]] std::unique_ptr<Session> open_session(const std::filesystem::path& path,
                                                    const SessionOptions& options = {});

/// One concrete run: the shape of every value, and the content of every integer value of at most `content_limit`
/// elements. Shapes that a graph computes as it runs are known from this without guessing.
struct Trace {
  std::unordered_map<std::string, Shape> shapes;
  std::unordered_map<std::string, DType> dtypes;
  std::unordered_map<std::string, Tensor> contents;
};
[[nodiscard]] Trace trace_model(const Model& model, const NamedTensors& inputs, std::int64_t content_limit = 64);

/// What random inputs are made of.
struct InputOptions {
  std::int64_t batch = 1;       ///< for a symbolic first dimension
  std::int64_t image_size = 0;  ///< for other symbolic dimensions; 0: 224, or the nearest size the model runs with
  std::uint64_t seed = 0;
  std::map<std::string, Shape> shapes = {};  ///< by input name, before anything else
};
/// Random inputs of fitting type and shape: floats uniform in [0, 1), integers 0 or 1.
[[nodiscard]] NamedTensors random_inputs(const std::vector<ValueInfo>& inputs, const InputOptions& options = {});
/// Probes sizes (batch 1; 224, 256, 320, 128, 64, 32 ...) until the model runs; the inputs that worked. Throws
/// Error(kUnsupported).
[[nodiscard]] NamedTensors probe_inputs(const Model& model, const InputOptions& options = {});

}  // namespace pare
