// What libpare_train.so offers: the one door between torch and the rest.
#include <c10/util/Exception.h>
#include <malloc.h>

#include "core/fail.h"
#include "train/engine.h"
#include "train/torch/block_fitter.h"
#include "train/torch/trainer.h"

namespace pare {
namespace {

/// torch's own exceptions stay in this folder.
template <class F>
auto guarded(F&& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    fail(ErrorCode::kInternal, "training: {}", error.what_without_backtrace());
  }
}

/// Activations come and go in every step: without this glibc maps and unmaps each large one anew, and the kernel fills
/// it with zeros.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  mallopt(M_TOP_PAD, 64 << 20);
}

class TorchEngine final : public TrainEngine {
 public:
  std::vector<NodeReason> refusals(const Model& model) const override {
    return guarded([&] { return Executor::refusals(model); });
  }
  TrainResult train(const Model& student, const Model* teacher, const std::shared_ptr<const Dataset>& data,
                    const TrainOptions& options, ProgressSink& progress) const override {
    return guarded([&] { return Trainer(student, teacher, data, options, progress).run(); });
  }
  BlockFit fit_block(const BlockJob& job) const override {
    return guarded([&] { return BlockFitter(job).run(); });
  }
};

}  // namespace

extern "C" const TrainEngine* pare_train_engine() {
  static const TorchEngine engine = (keep_freed_memory(), TorchEngine());
  return &engine;
}

}  // namespace pare
