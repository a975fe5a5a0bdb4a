#include "fit/output_error.h"

#include <algorithm>

#include "pare/error.h"

namespace pare {
namespace {

constexpr std::int64_t kBatch = 16;

}  // namespace

OutputError::OutputError(const Model& dense, const Dataset& data, std::int64_t samples, std::uint64_t seed,
                         const SessionOptions& session)
    : session_(session) {
  session_.extra_outputs.clear();
  session_.force_float32 = true;
  const std::vector<std::int64_t> indices = sample_indices(data.size(), std::min(samples, data.size()), seed);
  const auto fixed = fixed_batch(dense.graph.inputs);
  const std::unique_ptr<Session> open = open_session(dense, session_);
  const auto run = [&](std::int64_t batch) {
    inputs_.clear();
    outputs_.clear();
    for (std::size_t first = 0; first < indices.size(); first += static_cast<std::size_t>(batch)) {
      const std::size_t count = std::min(indices.size() - first, static_cast<std::size_t>(batch));
      if (fixed && count < static_cast<std::size_t>(batch)) break;
      inputs_.push_back(data.batch(std::span(indices).subspan(first, count)).inputs);
      outputs_.push_back(open->run(inputs_.back()));
    }
  };
  try {
    run(fixed.value_or(kBatch));
  } catch (const Error&) {
    if (fixed) throw;
    run(1);  // samples of several sizes, or a batch size spelt out inside
  }
  if (outputs_.empty()) return;
  energy_.resize(outputs_[0].size(), 0.0);
  for (std::size_t o = 0; o < energy_.size(); ++o) {
    double sum = 0, squares = 0, count = 0;
    for (const std::vector<Tensor>& batch : outputs_) {
      if (batch[o].dtype() != DType::kFloat32) continue;
      for (const float value : batch[o].data<float>()) {
        sum += static_cast<double>(value);
        squares += static_cast<double>(value) * static_cast<double>(value);
        ++count;
      }
    }
    energy_[o] = count > 0 ? std::max(squares - sum * sum / count, 1e-30) : 0;
  }
}

double OutputError::of(const Model& model) const {
  const std::unique_ptr<Session> session = open_session(model, session_);
  std::vector<double> error(energy_.size(), 0.0);
  for (std::size_t b = 0; b < inputs_.size(); ++b) {
    const std::vector<Tensor> results = session->run(inputs_[b]);
    for (std::size_t o = 0; o < error.size(); ++o) {
      if (results[o].dtype() != DType::kFloat32 || results[o].shape() != outputs_[b][o].shape()) continue;
      const auto now = results[o].data<float>(), then = outputs_[b][o].data<float>();
      for (std::size_t i = 0; i < now.size(); ++i) {
        const double difference = static_cast<double>(now[i]) - static_cast<double>(then[i]);
        error[o] += difference * difference;
      }
    }
  }
  double total = 0, count = 0;
  for (std::size_t o = 0; o < error.size(); ++o) {
    if (energy_[o] <= 0) continue;
    total += error[o] / energy_[o];
    ++count;
  }
  return count > 0 ? total / count : 0;
}

}  // namespace pare
