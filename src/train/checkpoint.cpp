#include "train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "pare/model_io.h"

namespace pare {
namespace {

constexpr std::string_view kKey = "pare.checkpoint";

nlohmann::json to_json(const EpochFigures& epoch) {
  nlohmann::json json = {{"loss", epoch.loss},
                         {"hard", epoch.hard},
                         {"soft", epoch.soft},
                         {"feature", epoch.feature},
                         {"learning_rate", epoch.learning_rate},
                         {"images", epoch.images},
                         {"seconds", epoch.seconds}};
  if (epoch.validation) json["validation"] = *epoch.validation;
  return json;
}

EpochFigures epoch_from(const nlohmann::json& json) {
  EpochFigures epoch{.loss = json.at("loss"),
                     .hard = json.at("hard"),
                     .soft = json.at("soft"),
                     .feature = json.at("feature"),
                     .learning_rate = json.at("learning_rate"),
                     .images = json.at("images"),
                     .seconds = json.at("seconds")};
  if (json.contains("validation")) epoch.validation = json.at("validation").get<double>();
  return epoch;
}

}  // namespace

void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path) {
  nlohmann::json epochs = nlohmann::json::array();
  for (const EpochFigures& epoch : checkpoint.epochs) epochs.push_back(to_json(epoch));
  const nlohmann::json json = {
      {"fingerprint", checkpoint.fingerprint},  {"step", checkpoint.step}, {"epochs", epochs},
      {"running", to_json(checkpoint.running)}, {"best", checkpoint.best}, {"best_epoch", checkpoint.best_epoch}};
  Model model = model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    checkpoint () => (int64[1] steps) <int64[1] done = {0}> { steps = Identity(done) })");
  model.set_metadata(kKey, json.dump());
  for (const auto& [name, tensor] : checkpoint.tensors) model.graph.initializers.set(name, tensor);
  save_model(model, path);
}

std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Model model = load_model(path);
  const std::string* text = model.find_metadata(kKey);
  if (text == nullptr)
    fail(ErrorCode::kMalformedModel, "{} is no checkpoint of a training run\n  remedy: another --checkpoint",
         path.string());
  try {
    const nlohmann::json json = nlohmann::json::parse(*text);
    Checkpoint checkpoint{.fingerprint = json.at("fingerprint"),
                          .step = json.at("step"),
                          .running = epoch_from(json.at("running")),
                          .best = json.at("best"),
                          .best_epoch = json.at("best_epoch")};
    for (const nlohmann::json& epoch : json.at("epochs")) checkpoint.epochs.push_back(epoch_from(epoch));
    for (const Initializers::Entry& entry : model.graph.initializers) checkpoint.tensors[entry.name] = entry.tensor;
    checkpoint.tensors.erase("done");
    return checkpoint;
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::kMalformedModel, "{} is a damaged checkpoint: {}\n  remedy: delete it and start again",
         path.string(), error.what());
  }
}

}  // namespace pare
