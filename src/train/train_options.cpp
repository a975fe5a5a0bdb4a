#include "train/train_options.h"

#include <charconv>
#include <optional>

#include "core/duration.h"
#include "core/fail.h"
#include "core/parallel.h"
#include "core/words.h"

namespace pare {
namespace {

template <class T>
T chosen(const std::string& word, std::initializer_list<std::pair<const char*, T>> choices) {
  for (const auto& [name, value] : choices)
    if (word == name) return value;
  return choices.begin()->second;
}

void in_range(const char* name, double value, double low, double high) {
  if (!(value >= low && value <= high))
    fail(ErrorCode::kInvalidArgument, "{}={} is not between {} and {}", name, value, low, high);
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "0/2@10.0.0.1:29500"; "0/2@10.0.0.1:29500/run" if the launcher listens there and names of the run begin with "run".
Workers parse_workers(const std::string& text) {
  Workers workers;
  if (text.empty()) return workers;
  const std::size_t slash = text.find('/'), at = text.find('@');
  std::string place = at == std::string::npos ? "" : text.substr(at + 1);
  if (const std::size_t path = place.find('/'); path != std::string::npos) {
    workers.store = place.substr(path + 1);
    place.resize(path);
  }
  const std::size_t colon = place.rfind(':');
  std::optional<int> rank, count, port;
  if (slash < at && at != std::string::npos && colon != std::string::npos && colon > 0) {
    rank = whole_number(std::string_view(text).substr(0, slash));
    count = whole_number(std::string_view(text).substr(slash + 1, at - slash - 1));
    port = whole_number(std::string_view(place).substr(colon + 1));
    workers.host = place.substr(0, colon);
    if (workers.host.starts_with('[') && workers.host.ends_with(']'))
      workers.host = workers.host.substr(1, workers.host.size() - 2);
  }
  if (!rank || !count || !port || *count < 1 || *rank < 0 || *rank >= *count || *port < 1 || *port > 65535)
    fail(ErrorCode::kInvalidArgument,
         "workers={} is no place among workers\n  remedy: RANK/COUNT@HOST:PORT, as in "
         "0/2@10.0.0.1:29500, with RANK from 0 to COUNT - 1",
         text);
  workers.rank = *rank;
  workers.count = *count;
  workers.port = *port;
  return workers;
}

}  // namespace

std::vector<OptionInfo> train_option_infos(const TeachingDefaults& defaults) {
  using Type = OptionInfo::Type;
  const auto word = [](const char* name, const char* fallback, std::vector<std::string> choices, const char* help) {
    return OptionInfo{name, Type::kWord, fallback, std::move(choices), help};
  };
  const auto number = [](const char* name, const char* fallback, const char* help) {
    return OptionInfo{name, Type::kNumber, fallback, {}, help};
  };
  return {
      number("epochs", "5", "passes over the training images; may be a fraction"),
      word("time", "", {}, "at most so long (90s, 10m, 2h); the schedule is fitted to it"),
      {"batch", Type::kInt, "", {}, "samples for one step; 128, or less where there are few"},
      word("optimizer", "auto", {"auto", "sgd", "adam", "adamw"},
           "how weights follow their gradients; auto: sgd with momentum, adam for numbers without batch statistics"),
      number("lr", "",
             "highest learning rate; sgd: 0.05 (numbers: 0.2), without batch statistics or with added ones 0.01, qat "
             "0.005; adam, adamw: "
             "0.001 (by auto: 0.0003), qat 0.0001"),
      {"find-lr", Type::kFlag, "off", {}, "try learning rates first and take a tenth of the best"},
      number("momentum", "0.9", "of sgd; beta1 of adam"),
      number("weight-decay", "0.0005", "pull of weights towards 0; not of biases and normalizations"),
      word("schedule", "one-cycle", {"one-cycle", "cosine", "constant"}, "course of the learning rate"),
      number("warmup", "0.2", "share of the steps in which the learning rate rises"),
      number("clip-norm", "5", "gradients are scaled down to this norm; 0: never"),
      number("ema", "0", "decay of a running mean of the weights that is kept in the end; 0: off"),
      word("augment", "none", {}, "changes of the images: cifar, aerial, or crop4,hflip,vflip,rot90,cutout8"),
      number("mixup", "0", "alpha of mixed pairs of images; 0: off"),
      word("hard-loss", "auto", {"auto", "cross-entropy", "mse", "huber"}, "error against the labels"),
      word("loss", "auto", {"auto", "kl", "dist", "mse", "huber", "bounded"}, "error against the teacher"),
      number("temperature", defaults.temperature,
             "T: both networks' scores are divided by it before they are compared"),
      number("hard-weight", defaults.hard_weight, "share of the labels in the loss when there is a teacher"),
      {"features",
       Type::kWordList,
       defaults.features,
       {},
       "hidden layers compared as well: none, same (of one name and size in both), auto, or student=teacher,..."},
      number("feature-weight", defaults.feature_weight, "weight of the hidden layers in the loss"),
      {"no-labels", Type::kFlag, "off", {}, "the teacher alone, even where there are labels"},
      word("precision", "auto", {"auto", "float32", "bfloat16"}, "of the computation; auto: what is faster here"),
      {"qat", Type::kFlag, "off", {}, "quantization-aware training of a network that pare quantize made"},
      word("ranges", "frozen", {"frozen", "activations", "all"}, "with qat: the scales that are learned"),
      word("norm", "auto", {"auto", "batch", "frozen", "reestimated", "added"},
           "BatchNormalization while training; added: layers without one have one for that time"),
      number("validation", "0", "share of the images that is split off and never trained on"),
      {"patience", Type::kInt, "0", {}, "stop after so many epochs without a better validation figure, keep the best"},
      word("checkpoint", "", {}, "file that keeps the state of the run"),
      number("checkpoint-every", "60", "seconds between two checkpoints"),
      {"resume", Type::kFlag, "off", {}, "go on from the checkpoint"},
      word("workers", "", {},
           "RANK/COUNT@HOST:PORT: one of several processes; from the variables of torchrun if absent"),
      {"local-workers", Type::kInt, "1", {}, "how many of them run on this machine and share its cores"},
      number("worker-timeout", "60", "seconds after which a silent worker is lost"),
  };
}

TrainOptions read_train_options(const StepOptions& options, const Context& context) {
  TrainOptions train;
  train.epochs = options.number("epochs");
  if (options.given("time")) train.time_limit_s = parse_duration(options.word("time"), "time");
  if (options.given("batch")) train.batch = options.integer("batch");
  train.optimizer = chosen<Optimizer>(
      options.word("optimizer"),
      {{"auto", Optimizer::kAuto}, {"sgd", Optimizer::kSgd}, {"adam", Optimizer::kAdam}, {"adamw", Optimizer::kAdamW}});
  if (options.given("lr")) train.learning_rate = options.number("lr");
  train.find_learning_rate = options.flag("find-lr");
  train.momentum = options.number("momentum");
  train.weight_decay = options.number("weight-decay");
  train.schedule = chosen<Schedule>(
      options.word("schedule"),
      {{"one-cycle", Schedule::kOneCycle}, {"cosine", Schedule::kCosine}, {"constant", Schedule::kConstant}});
  train.warmup = options.number("warmup");
  train.clip_norm = options.number("clip-norm");
  train.ema = options.number("ema");
  train.augment = options.word("augment");
  train.mixup = options.number("mixup");
  train.hard = chosen<HardLoss>(options.word("hard-loss"), {{"auto", HardLoss::kAuto},
                                                            {"cross-entropy", HardLoss::kCrossEntropy},
                                                            {"mse", HardLoss::kMse},
                                                            {"huber", HardLoss::kHuber}});
  train.soft = chosen<SoftLoss>(options.word("loss"), {{"auto", SoftLoss::kAuto},
                                                       {"kl", SoftLoss::kKl},
                                                       {"dist", SoftLoss::kDist},
                                                       {"mse", SoftLoss::kMse},
                                                       {"huber", SoftLoss::kHuber},
                                                       {"bounded", SoftLoss::kTeacherBounded}});
  train.temperature = options.number("temperature");
  train.hard_weight = options.number("hard-weight");
  train.features = options.words("features");
  train.feature_weight = options.number("feature-weight");
  train.use_labels = !options.flag("no-labels");
  train.precision = chosen<Precision>(
      options.word("precision"),
      {{"auto", Precision::kAuto}, {"float32", Precision::kFloat32}, {"bfloat16", Precision::kBFloat16}});
  train.norm = chosen<NormTraining>(options.word("norm"), {{"auto", NormTraining::kAuto},
                                                           {"batch", NormTraining::kBatch},
                                                           {"frozen", NormTraining::kFrozen},
                                                           {"reestimated", NormTraining::kReestimated},
                                                           {"added", NormTraining::kAdded}});
  train.quantization_aware = options.flag("qat");
  train.ranges = chosen<RangeTraining>(
      options.word("ranges"),
      {{"frozen", RangeTraining::kFrozen}, {"activations", RangeTraining::kActivations}, {"all", RangeTraining::kAll}});
  train.validation = options.number("validation");
  train.patience = options.integer("patience");
  train.checkpoint = options.word("checkpoint");
  train.checkpoint_every_s = options.number("checkpoint-every");
  train.resume = options.flag("resume");
  train.threads = working_threads(context.session.threads);
  train.seed = context.seed;
  train.workers = parse_workers(options.word("workers"));
  train.workers.local_count = static_cast<int>(options.integer("local-workers"));
  train.workers.timeout_s = options.number("worker-timeout");

  in_range("epochs", train.epochs, 1e-6, 1e6);
  if (options.given("batch")) in_range("batch", static_cast<double>(train.batch), 1, 1e6);
  if (train.learning_rate) in_range("lr", *train.learning_rate, 1e-12, 1e3);
  in_range("momentum", train.momentum, 0, 0.9999);
  in_range("weight-decay", train.weight_decay, 0, 10);
  in_range("warmup", train.warmup, 0, 1);
  in_range("clip-norm", train.clip_norm, 0, 1e12);
  in_range("ema", train.ema, 0, 0.999999);
  in_range("mixup", train.mixup, 0, 10);
  in_range("temperature", train.temperature, 0.01, 1000);
  in_range("hard-weight", train.hard_weight, 0, 1);
  in_range("feature-weight", train.feature_weight, 0, 1e6);
  in_range("local-workers", train.workers.local_count, 1, 1024);
  in_range("worker-timeout", train.workers.timeout_s, 0.01, 86400);
  in_range("validation", train.validation, 0, 0.9);
  in_range("patience", static_cast<double>(train.patience), 0, 1e6);
  if (train.patience > 0 && train.validation == 0)
    fail(ErrorCode::kInvalidArgument, "patience needs images to validate on\n  remedy: add validation=0.1");
  if (options.given("ranges") && !train.quantization_aware)
    fail(ErrorCode::kInvalidArgument, "ranges={} is for quantization-aware training\n  remedy: add qat",
         options.word("ranges"));
  if (train.resume && train.checkpoint.empty())
    fail(ErrorCode::kInvalidArgument, "resume: from which checkpoint?\n  remedy: add checkpoint=FILE");
  return train;
}

StepResult run_training(const Model& model, const Model* teacher, const TrainOptions& options, const std::string& step,
                        Context& context) {
  if (!context.data)
    fail(ErrorCode::kInvalidArgument, "{}: there are no images to learn from\n  remedy: give --data", step);
  TrainResult trained = train_model(model, teacher, context.data, options, *context.progress);
  StepResult result;
  result.model = std::move(trained.model);
  result.changes = trained.steps;
  result.notes = std::move(trained.notes);
  result.figures["steps"] = static_cast<double>(trained.steps);
  result.figures["learning_rate"] = trained.learning_rate;
  result.figures["kept_zeros"] = static_cast<double>(trained.kept_zeros);
  double images = 0, seconds = 0;
  for (const EpochFigures& epoch : trained.epochs) {
    images += static_cast<double>(epoch.images);
    seconds += epoch.seconds;
  }
  if (!trained.epochs.empty()) {
    const EpochFigures& first = trained.epochs.front();
    const EpochFigures& last = trained.epochs.back();
    result.figures["first_loss"] = first.loss;
    result.figures["last_loss"] = last.loss;
    result.notes.push_back(fmt::format("loss {:.4f} in the first epoch, {:.4f} in the last of {}", first.loss,
                                       last.loss, trained.epochs.size()));
    if (last.validation) {
      const std::size_t kept =
          trained.best_epoch < 0 ? trained.epochs.size() - 1 : static_cast<std::size_t>(trained.best_epoch);
      result.figures["validation"] = *trained.epochs[kept].validation;
      result.notes.push_back(
          fmt::format("validation {:.4f} after epoch {}", *trained.epochs[kept].validation, kept + 1));
    }
  }
  if (seconds > 0) {
    result.figures["images_per_second"] = images / seconds;
    result.notes.push_back(fmt::format("{} images in {:.0f} s, {:.0f} a second",
                                       with_commas(static_cast<std::int64_t>(images)), seconds, images / seconds));
  }
  return result;
}

}  // namespace pare
