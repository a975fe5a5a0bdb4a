#include <span>
#include <utility>

#include "pare/error.h"
#include "pare/session.h"
#include "runtime/model_source.h"

namespace pare {
namespace {

bool is_integer_or_bool(DType dtype) { return !is_float(dtype) && dtype_bits(dtype) >= 8 && dtype <= DType::kUint64; }

class Tracer {
 public:
  Tracer(const Model& model, const NamedTensors& inputs, std::int64_t content_limit)
      : model_(model), bare_(model), inputs_(inputs), content_limit_(content_limit) {
    // The model's own outputs may be no tensors; those that are come back as inner values.
    bare_.graph.outputs.clear();
  }

  Trace run() {
    for (const Initializers::Entry& entry : model_.graph.initializers) keep(entry.name, entry.tensor);
    const std::vector<std::string> names = made_values(model_.graph);
    if (names.empty() || !try_values(names)) {
      // Is it the model, or only one of the values that cannot be an output?
      const std::unique_ptr<Session> session = open_session(model_, {.optimize = false});
      session->bind(inputs_);
      session->run_bound();
      halve(names);
    }
    for (const auto& [name, tensor] : inputs_) keep(name, tensor);
    return std::move(trace_);
  }

 private:
  void keep(const std::string& name, const Tensor& tensor) {
    trace_.shapes[name] = tensor.shape();
    trace_.dtypes[name] = tensor.dtype();
    if (is_integer_or_bool(tensor.dtype()) && tensor.element_count() <= content_limit_) trace_.contents[name] = tensor;
  }

  void halve(std::span<const std::string> names) {
    if (names.size() < 2) return;
    for (const auto half : {names.first(names.size() / 2), names.subspan(names.size() / 2)})
      if (!try_values(half)) halve(half);
  }

  /// False if the model does not run with all of these as outputs. Values that are no tensors are left out.
  bool try_values(std::span<const std::string> names) {
    try {
      std::vector<std::string> wanted(names.begin(), names.end());
      std::unique_ptr<Session> session = open_session(bare_, {.optimize = false, .extra_outputs = wanted});
      const std::size_t all = wanted.size();
      wanted.clear();
      for (const ValueInfo& output : session->outputs())
        if (output.dtype != DType::kUndefined) wanted.push_back(output.name);
      if (wanted.empty()) return true;
      if (wanted.size() < all) session = open_session(bare_, {.optimize = false, .extra_outputs = wanted});
      const std::vector<Tensor> values = session->run(inputs_);
      for (std::size_t i = 0; i < values.size(); ++i) keep(wanted[i], values[i]);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  const Model& model_;
  Model bare_;
  const NamedTensors& inputs_;
  std::int64_t content_limit_;
  Trace trace_;
};

}  // namespace

Trace trace_model(const Model& model, const NamedTensors& inputs, std::int64_t content_limit) {
  return Tracer(model, inputs, content_limit).run();
}

}  // namespace pare
