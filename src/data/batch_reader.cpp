#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "core/fail.h"
#include "pare/dataset.h"

namespace pare {

struct BatchReader::Impl {
  struct Slot {
    Batch batch;
    std::exception_ptr error;
  };

  Impl(const Dataset& source, std::int64_t size_of_batch, int count)
      : dataset(source),
        size(source.size()),
        batch_size(size_of_batch),
        batches((size + size_of_batch - 1) / size_of_batch),
        most_ahead(2 * count) {}
  void work();
  [[nodiscard]] Batch read(std::int64_t number) const;
  void stop();

  const Dataset& dataset;
  const std::int64_t size, batch_size, batches, most_ahead;
  std::mutex mutex;
  std::condition_variable room, ready;
  std::int64_t next_to_read = 0, next_to_give = 0;
  std::map<std::int64_t, Slot> slots;  ///< read, not yet given
  bool stopping = false;
  std::vector<std::thread> workers;
};

Batch BatchReader::Impl::read(std::int64_t number) const {
  const std::int64_t first = number * batch_size;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(batch_size, size - first)));
  std::iota(indices.begin(), indices.end(), first);
  return dataset.batch(indices);
}

void BatchReader::Impl::work() {
  std::unique_lock lock(mutex);
  while (true) {
    room.wait(lock, [&] { return stopping || next_to_read >= batches || next_to_read < next_to_give + most_ahead; });
    if (stopping || next_to_read >= batches) return;
    const std::int64_t number = next_to_read++;
    lock.unlock();
    Slot slot;
    try {
      slot.batch = read(number);
    } catch (...) {
      slot.error = std::current_exception();
    }
    lock.lock();
    // After an error nothing later is wanted.
    if (slot.error) next_to_read = batches;
    slots.emplace(number, std::move(slot));
    ready.notify_one();
  }
}

void BatchReader::Impl::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  room.notify_all();
  for (std::thread& worker : workers) worker.join();
}

BatchReader::BatchReader(const Dataset& dataset, std::int64_t batch_size, int workers) {
  if (batch_size < 1 || workers < 1)
    fail(ErrorCode::kInvalidArgument, "batches of {} samples read by {} threads", batch_size, workers);
  impl_ = std::make_unique<Impl>(dataset, batch_size, workers);
  const std::int64_t threads = std::min<std::int64_t>(workers, impl_->batches);
  try {
    for (std::int64_t i = 0; i < threads; ++i) impl_->workers.emplace_back([this] { impl_->work(); });
  } catch (...) {
    impl_->stop();
    throw;
  }
}

BatchReader::~BatchReader() { impl_->stop(); }

std::optional<Batch> BatchReader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->next_to_give >= impl_->batches) return std::nullopt;
  impl_->ready.wait(lock, [&] { return impl_->slots.contains(impl_->next_to_give); });
  auto taken = impl_->slots.extract(impl_->next_to_give);
  ++impl_->next_to_give;
  impl_->room.notify_all();
  if (taken.mapped().error) {
    impl_->next_to_give = impl_->batches;
    std::rethrow_exception(taken.mapped().error);
  }
  return std::move(taken.mapped().batch);
}

}  // namespace pare
