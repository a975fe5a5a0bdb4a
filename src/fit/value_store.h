// value_store.h - tensors by name and batch; what is too much for memory lies in files without names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/temp_folder.h"
#include "pare/tensor.h"

namespace pare {

/// For one thread.
class ValueStore {
 public:
  /// Beyond `memory_bytes` new tensors go to the system's temporary folder.
  explicit ValueStore(std::int64_t memory_bytes);
  ~ValueStore();
  ValueStore(const ValueStore&) = delete;
  ValueStore& operator=(const ValueStore&) = delete;

  void put(const std::string& name, std::size_t batch, const Tensor& tensor);
  /// Throws Error(kInternal) if it is not there.
  [[nodiscard]] Tensor get(const std::string& name, std::size_t batch) const;
  [[nodiscard]] bool contains(const std::string& name) const { return values_.contains(name); }
  [[nodiscard]] std::vector<std::string> names() const;
  void drop(const std::string& name);
  void drop(const std::string& name, std::size_t batch);
  /// The memory of a spilled tensor may be given back until it is looked at again.
  void rest(const std::string& name, std::size_t batch) const;
  [[nodiscard]] std::int64_t memory_bytes() const noexcept { return used_; }
  [[nodiscard]] std::int64_t spilled_bytes() const noexcept { return spilled_; }

 private:
  struct Item {
    Tensor tensor;
    bool spilled = false;
  };
  Tensor spill(const Tensor& tensor);

  std::int64_t limit_ = 0, used_ = 0, spilled_ = 0;
  std::unordered_map<std::string, std::vector<Item>> values_;
  std::unique_ptr<TempFolder> folder_;
};

}  // namespace pare
