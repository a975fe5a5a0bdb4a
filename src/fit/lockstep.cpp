#include "fit/lockstep.h"

#include <algorithm>

#include "core/fail.h"
#include "fit/sub_model.h"

namespace pare {
namespace {

constexpr std::int64_t kMostPerBatch = 64;

/// Whether the network takes two samples at a time (some spell the batch size out inside).
bool takes_batches(const Model& model, const Dataset& data, const std::vector<std::int64_t>& indices,
                   const SessionOptions& session) {
  if (indices.size() < 2) return false;
  try {
    const Batch batch = data.batch(std::span(indices).first(2));
    const std::vector<Tensor> results = open_session(model, session)->run(batch.inputs);
    return std::all_of(results.begin(), results.end(),
                       [](const Tensor& t) { return t.rank() > 0 && t.shape()[0] == 2; });
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Lockstep::Lockstep(const Model& dense, std::vector<Stop> stops, const std::vector<std::int64_t>& changing,
                   const std::unordered_map<std::string, Shape>& shapes, const Dataset& data,
                   const LockstepOptions& options)
    : dense_(dense),
      changed_(dense),
      session_(options.session),
      stops_(std::move(stops)),
      order_(walk_order(dense.graph)),
      dense_values_(options.memory_bytes),
      changed_values_(options.memory_bytes) {
  session_.extra_outputs.clear();
  session_.force_float32 = true;
  const std::unordered_set<std::int64_t> changes(changing.begin(), changing.end());
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const Node& node = dense.graph.nodes[static_cast<std::size_t>(order_[i])];
    place_[order_[i]] = at;
    bool affected = changes.contains(order_[i]);
    for (const std::string& name : values_read(node)) {
      read_at_[name].push_back(at);
      affected = affected || differs_.contains(name);
    }
    affected_.push_back(affected);
    for (const std::string& name : node.outputs) {
      if (name.empty()) continue;
      made_at_[name] = at;
      if (affected) differs_.insert(name);
    }
  }
  for (std::size_t s = 0; s < stops_.size(); ++s) {
    for (const std::string& value : stops_[s].dense) last_dense_[value] = s;
    for (const std::string& value : stops_[s].changed) (differs(value) ? last_changed_ : last_dense_)[value] = s;
  }
  read_inputs(data, options, shapes);
}

void Lockstep::read_inputs(const Dataset& data, const LockstepOptions& options,
                           const std::unordered_map<std::string, Shape>& shapes) {
  const std::int64_t wanted = std::min(options.samples, data.size());
  if (wanted <= 0) fail(ErrorCode::kInvalidArgument, "there are no samples to fit with\n  remedy: give a dataset");
  std::vector<std::int64_t> indices = sample_indices(data.size(), wanted, options.seed);
  std::int64_t largest = 1, traced = 1;
  for (const auto& [name, shape] : shapes)
    if (made_at_.contains(name)) largest = std::max(largest, element_count(shape) * 4);
  for (const ValueInfo& input : dense_.graph.inputs)
    if (const auto found = shapes.find(input.name); found != shapes.end() && !found->second.empty())
      traced = std::max(traced, found->second[0]);
  std::int64_t batch = 1;
  if (const auto fixed = fixed_batch(dense_.graph.inputs)) {
    batch = *fixed;
    if (wanted < batch)
      fail(ErrorCode::kInvalidArgument, "the network takes {} samples at a time, the data has {}", batch, wanted);
  } else if (takes_batches(dense_, data, indices, session_)) {
    batch =
        std::clamp<std::int64_t>(options.batch_bytes / std::max<std::int64_t>(1, largest / traced), 1, kMostPerBatch);
    const std::int64_t count = (wanted + batch - 1) / batch;
    batch = wanted / count;
  }
  batches_ = static_cast<std::size_t>(wanted / batch);
  samples_ = static_cast<std::int64_t>(batches_) * batch;
  for (std::size_t b = 0; b < batches_; ++b) {
    const Batch read =
        data.batch(std::span(indices).subspan(b * static_cast<std::size_t>(batch), static_cast<std::size_t>(batch)));
    for (const ValueInfo& input : dense_.graph.inputs) {
      const auto found = read.inputs.find(input.name);
      if (found == read.inputs.end())
        fail(ErrorCode::kInvalidArgument, "the data has nothing for the network's input '{}'", input.name);
      dense_values_.put(input.name, b, found->second);
    }
  }
}

bool Lockstep::needed_dense(const std::string& value) const {
  if (const auto last = last_dense_.find(value); last != last_dense_.end() && last->second >= stop_) return true;
  const auto reads = read_at_.find(value);
  if (reads == read_at_.end()) return false;
  const bool shared = !differs(value);
  return std::any_of(reads->second.begin(), reads->second.end(), [&](std::int64_t at) {
    return at >= at_dense_ || (shared && at >= at_changed_ && affected_[static_cast<std::size_t>(at)]);
  });
}

bool Lockstep::needed_changed(const std::string& value) const {
  if (const auto last = last_changed_.find(value); last != last_changed_.end() && last->second >= stop_) return true;
  const auto reads = read_at_.find(value);
  return reads != read_at_.end() &&
         std::any_of(reads->second.begin(), reads->second.end(), [&](std::int64_t at) { return at >= at_changed_; });
}

void Lockstep::free_values() {
  for (const std::string& name : dense_values_.names())
    if (!needed_dense(name)) dense_values_.drop(name);
  for (const std::string& name : changed_values_.names())
    if (!needed_changed(name)) changed_values_.drop(name);
}

void Lockstep::advance(bool dense, std::int64_t to) {
  std::int64_t& at = dense ? at_dense_ : at_changed_;
  std::vector<std::int64_t> nodes;
  std::vector<std::string> made;
  for (; at < to; ++at) {
    if (!dense && !affected_[static_cast<std::size_t>(at)]) continue;
    nodes.push_back(order_[static_cast<std::size_t>(at)]);
    for (const std::string& name : dense_.graph.nodes[static_cast<std::size_t>(nodes.back())].outputs)
      if (!name.empty()) made.push_back(name);
  }
  const auto needed = [&](const std::string& name) { return dense ? needed_dense(name) : needed_changed(name); };
  const std::unordered_set<std::string> inside(made.begin(), made.end());
  std::erase_if(made, [&](const std::string& name) { return !needed(name); });
  if (made.empty()) return;
  const Model& model = dense ? dense_ : changed_;
  std::unordered_set<std::string> reads;
  for (const std::int64_t node : nodes)
    for (std::string& name : values_read(model.graph.nodes[static_cast<std::size_t>(node)]))
      if (!name.empty() && !inside.contains(name) && (dense_values_.contains(name) || changed_values_.contains(name)))
        reads.insert(std::move(name));
  const auto inputs_of = [&](std::size_t batch) {
    NamedTensors inputs;
    for (const std::string& name : reads) inputs[name] = dense ? dense_values_.get(name, batch) : changed(name, batch);
    return inputs;
  };
  const NamedTensors first = inputs_of(0);
  bool dynamic = false;
  for (std::size_t b = 1; b < batches_ && !dynamic; ++b)
    for (const auto& [name, tensor] : inputs_of(b)) dynamic = dynamic || tensor.shape() != first.at(name).shape();
  const std::unique_ptr<Session> session = open_session(sub_model(model, nodes, first, dynamic, made), session_);
  ValueStore& values = dense ? dense_values_ : changed_values_;
  for (std::size_t b = 0; b < batches_; ++b) {
    const std::vector<Tensor> results = session->run(inputs_of(b));
    for (const std::string& name : reads) {
      // What nobody reads after this makes room for what comes.
      if (dense_values_.contains(name) && !needed_dense(name)) dense_values_.drop(name, b);
      if (changed_values_.contains(name) && !needed_changed(name)) changed_values_.drop(name, b);
      dense_values_.rest(name, b);
      changed_values_.rest(name, b);
    }
    for (std::size_t i = 0; i < results.size(); ++i) values.put(made[i], b, results[i]);
  }
}

bool Lockstep::next() {
  if (started_) ++stop_;
  started_ = true;
  if (stop_ >= stops_.size()) return false;
  const Stop& stop = stops_[stop_];
  const std::int64_t place = place_.at(stop.node);
  if (place < at_changed_) fail(ErrorCode::kInternal, "lockstep: stops are not in walk order");
  free_values();
  std::int64_t to_dense = std::max(place, at_dense_);
  for (const std::string& value : stop.dense)
    if (const auto made = made_at_.find(value); made != made_at_.end()) to_dense = std::max(to_dense, made->second + 1);
  advance(true, to_dense);
  advance(false, place);
  free_values();
  return true;
}

Tensor Lockstep::dense(const std::string& value, std::size_t batch) const { return dense_values_.get(value, batch); }

Tensor Lockstep::changed(const std::string& value, std::size_t batch) const {
  return differs(value) ? changed_values_.get(value, batch) : dense_values_.get(value, batch);
}

void Lockstep::rest(std::size_t batch) const {
  for (const std::string& name : dense_values_.names()) dense_values_.rest(name, batch);
  for (const std::string& name : changed_values_.names()) changed_values_.rest(name, batch);
}

}  // namespace pare
