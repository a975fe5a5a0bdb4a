// pare/train.h - training of ONNX networks, alone or with another network as teacher; and bringing changed blocks back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/dataset.h"
#include "pare/graph.h"
#include "pare/measure.h"
#include "pare/progress.h"
#include "pare/session.h"
#include "pare/step.h"

namespace pare {

/// Whether this build can train and its library can be opened; if not, `why` says why and how to get it.
struct TrainingAvailability {
  bool available = false;
  std::string why = {};
};
[[nodiscard]] TrainingAvailability training_available();

/// Nodes that cannot be trained through, with the reason; empty: the network can be trained. Throws Error(kUnsupported)
/// where this build cannot train.
[[nodiscard]] std::vector<NodeReason> training_refusals(const Model& model);

enum class Optimizer {
  kAuto,  ///< kSgd; kAdam where numbers are predicted without statistics of the batch (folded or frozen)
  kSgd,
  kAdam,
  kAdamW
};
enum class Schedule {
  kOneCycle,  ///< linear up over `warmup`, then cosine to zero
  kCosine,    ///< from the full rate to zero, after a linear `warmup`
  kConstant,  ///< after a linear `warmup`
};
/// The loss with the labels.
enum class HardLoss { kAuto, kCrossEntropy, kMse, kHuber };
/// The loss with the teacher's outputs.
enum class SoftLoss {
  kAuto,            ///< kKl for classes, kHuber for numbers
  kKl,              ///< T^2 KL(teacher || student) of softened outputs; sum over classes, mean over samples and pixels
  kDist,            ///< DIST: 1 - Pearson correlation, within samples and within classes (arXiv 2205.10536)
  kMse,             ///< in units of the targets' deviation
  kHuber,           ///< in the same units; linear beyond one
  kTeacherBounded,  ///< numbers: the label's error counts only where the student is worse than the teacher (Chen 2017)
};
enum class Precision { kAuto, kFloat32, kBFloat16 };
enum class NormTraining {
  kAuto,         ///< kBatch if a batch has at least 64 samples (16 of maps), else kReestimated; kAdded where that
                 ///< holds, the network has no normalization, and the task is not regression
  kBatch,        ///< batch statistics while training; after a short run the running ones are taken anew at its end
  kFrozen,       ///< running statistics as they are
  kReestimated,  ///< statistics taken anew over the training images at the start, then kFrozen
  kAdded,        ///< kBatch, and convolutions without a normalization have one while training (docs/finetune.md)
};

/// Scales of a quantized network while it is trained.
enum class RangeTraining {
  kFrozen,       ///< those of calibration
  kActivations,  ///< those of activations are learned (LSQ, arXiv 1902.08153)
  kAll,          ///< those of activations and of weights are learned
};

/// Processes that train one network together, each on its part of every batch (docs/finetune.md, "More than one
/// machine"). All are given the same network, data and options except `rank`.
struct Workers {
  int rank = 0, count = 1;  ///< rank 0 validates, writes checkpoints, and its result is the one to keep
  std::string host = {};    ///< address of rank 0 as the others reach it
  int port = 0;
  std::string store = {};  ///< not empty: the launcher listens at host:port, not rank 0; names of this run begin so
  int local_count = 1;     ///< of them on this machine: they share its cores
  double timeout_s = 60;   ///< a worker that is silent for so long is lost
};

struct TrainOptions {
  double epochs = 5;        ///< passes over the training images; may be a fraction
  double time_limit_s = 0;  ///< stop in time: the schedule is fitted to it after the first steps; 0: no limit
  /// Samples for one step; 0: 128, less where an epoch would have fewer than 16 steps (not below 64; maps: 16).
  std::int64_t batch = 0;
  Optimizer optimizer = Optimizer::kAuto;
  /// Absent: SGD 0.05 (numbers: 0.2), without statistics of the batch or with added ones (kAdded) 0.01,
  /// quantization-aware 0.005; Adam and AdamW 1e-3 (chosen by kAuto: 3e-4), quantization-aware 1e-4.
  std::optional<double> learning_rate = {};
  double momentum = 0.9;       ///< SGD (Nesterov); beta1 of Adam
  double weight_decay = 5e-4;  ///< of weights; not of biases, normalizations and slopes
  Schedule schedule = Schedule::kOneCycle;
  double warmup = 0.2;   ///< share of all steps in which the rate rises
  double clip_norm = 5;  ///< gradients are scaled down to this norm; 0: never
  double ema = 0;        ///< decay of the running mean of the weights that is kept in the end; 0: the last weights
  std::string augment = "none";  ///< words of parse_augment (augment.h)
  double mixup = 0;              ///< alpha of the Beta distribution; 0: off. Classification only
  HardLoss hard = HardLoss::kAuto;
  SoftLoss soft = SoftLoss::kAuto;
  double temperature = 3;    ///< T
  double hard_weight = 0.3;  ///< share of the loss with the labels when there is a teacher; the rest is the teacher's
  bool use_labels = true;    ///< false: the teacher alone
  /// Hidden layers compared as well: "student_value=teacher_value"; "auto": the last of each image size; "same": those
  /// that have one name and size in both, where classes are learned in floats; none, or "none".
  std::vector<std::string> features = {};
  double feature_weight = 1;
  Precision precision = Precision::kAuto;
  NormTraining norm = NormTraining::kAuto;
  /// The network is a quantized one (QuantizeLinear and DequantizeLinear, as the step quantize makes them): weights are
  /// trained as floats that every pass rounds to what is stored, and come out as integers again. Zero points stay.
  bool quantization_aware = false;
  RangeTraining ranges = RangeTraining::kFrozen;  ///< with quantization_aware
  double validation = 0;                          ///< share of the images that is split off and never trained on
  std::int64_t patience = 0;  ///< stop after so many epochs without a better validation figure, keep the best; 0: off
  bool find_learning_rate = false;        ///< tries rates first and takes a tenth of the one where the loss is least
  std::filesystem::path checkpoint = {};  ///< file; empty: none
  double checkpoint_every_s = 60;
  bool resume = false;  ///< go on from the checkpoint, if there is one
  int threads = 1;
  std::uint64_t seed = 0;
  Workers workers = {};
};

struct EpochFigures {
  double loss = 0, hard = 0, soft = 0, feature = 0;  ///< means over the epoch; hard, soft: unweighted
  double learning_rate = 0;                          ///< at its end
  std::optional<double> validation = {};             ///< top-1, mean IoU or RMSE of the part split off
  std::int64_t images = 0;
  double seconds = 0;
};

struct TrainResult {
  Model model;
  std::vector<EpochFigures> epochs;
  std::int64_t steps = 0;
  bool bfloat16 = false;
  std::int64_t best_epoch = -1;    ///< the one that was kept, counted from 0; -1: the last
  std::int64_t kept_zeros = 0;     ///< weights that were 0 and are still
  double learning_rate = 0;        ///< highest
  std::vector<std::string> notes;  ///< sentences for the report
};

/// Trains a copy of `student`. Names, structure and metadata stay; weights that are exactly 0 stay 0 (a mask of
/// pruning); weights come out without subnormal numbers. Same seed, same data, same number of threads: same result.
/// `teacher` (null: labels alone) sees the same batch, images augmented alike, and is refused when it is not better
/// than chance on labelled data. Throws Error(kUnsupported) listing nodes that cannot be trained through,
/// Error(kNumeric) at the first loss that is not finite (step, learning rate, remedy), Error(kInvalidArgument) when
/// there is neither label nor teacher, Error(kInterrupted) after a last checkpoint, Error(kIo) naming the worker that
/// was lost, after a last checkpoint of rank 0.
[[nodiscard]] TrainResult train_model(const Model& student, const Model* teacher,
                                      const std::shared_ptr<const Dataset>& data, const TrainOptions& options,
                                      ProgressSink& progress = silent_progress());

}  // namespace pare
