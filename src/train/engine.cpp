#include "train/engine.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "core/fail.h"

namespace pare {
namespace {

/// The folder that this very library was loaded from.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&training_available), &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::absolute(info.dli_fname).parent_path();
}

/// Names of torch are looked up in torch first: it carries its own BLAS and protobuf, which must not meet ours.
/// (Address sanitizer does not allow that.)
#ifdef __SANITIZE_ADDRESS__
constexpr int kOpenMode = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int kOpenMode = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

/// The handle is never closed: torch leaves threads behind.
const TrainEngine* open_engine() {
  const std::filesystem::path path = own_folder() / "libpare_train.so.0";
  void* handle = dlopen(path.c_str(), kOpenMode);
  if (handle == nullptr) {
    const char* reason = dlerror();
    fail(ErrorCode::kUnsupported,
         "training is not available: {}\n  remedy: run scripts/setup and build with -DPARE_WITH_TORCH=ON",
         reason == nullptr ? "libpare_train.so cannot be opened" : reason);
  }
  const auto get = reinterpret_cast<const TrainEngine* (*)()>(dlsym(handle, kTrainEngineSymbol));
  if (get == nullptr) fail(ErrorCode::kUnsupported, "{} is not pare's library of training", path.string());
  return get();
}

/// The teacher under the student's names of inputs, by order: batches are made for the student.
Model with_inputs_of(Model teacher, const Model& student) {
  std::vector<ValueInfo>& inputs = teacher.graph.inputs;
  if (inputs.size() != student.graph.inputs.size())
    fail(ErrorCode::kInvalidArgument,
         "the teacher reads {} inputs, the student {}\n  remedy: a teacher of the same data", inputs.size(),
         student.graph.inputs.size());
  // Names that both have stay, whatever their order.
  if (std::all_of(inputs.begin(), inputs.end(),
                  [&](const ValueInfo& input) { return student.graph.find_input(input.name) != nullptr; }))
    return teacher;
  const GraphIndex index(teacher.graph);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& wanted = student.graph.inputs[i].name;
    if (index.producer(wanted) >= 0 || teacher.graph.initializers.contains(wanted) ||
        (inputs[i].name != wanted && teacher.graph.find_input(wanted) != nullptr))
      fail(ErrorCode::kUnsupported,
           "the student's input is called '{}', and the teacher has another value of that name\n  remedy: name the "
           "inputs of both alike",
           wanted);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string wanted = student.graph.inputs[i].name;
    replace_uses(teacher.graph, inputs[i].name, wanted);
    inputs[i].name = wanted;
  }
  return teacher;
}

}  // namespace

const TrainEngine& train_engine() {
  static const TrainEngine* const engine = open_engine();
  return *engine;
}

TrainingAvailability training_available() {
  try {
    (void)train_engine();
    return {.available = true};
  } catch (const Error& error) {
    return {.available = false, .why = error.what()};
  }
}

std::vector<NodeReason> training_refusals(const Model& model) { return train_engine().refusals(model); }

TrainResult train_model(const Model& student, const Model* teacher, const std::shared_ptr<const Dataset>& data,
                        const TrainOptions& options, ProgressSink& progress) {
  if (teacher == nullptr) return train_engine().train(student, nullptr, data, options, progress);
  const Model reading_alike = with_inputs_of(*teacher, student);
  return train_engine().train(student, &reading_alike, data, options, progress);
}

}  // namespace pare
