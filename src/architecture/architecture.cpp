#include "pare/architecture.h"

#include <algorithm>

#include "architecture/family.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/model_io.h"

namespace pare {
namespace {

const std::vector<Architecture>& registry() {
  static const std::vector<Architecture> all = [] {
    std::vector<Architecture> list;
    const auto append = [&](ArchitectureFamily family) {
      for (Architecture& one : family) list.push_back(std::move(one));
    };
#define PARE_ARCHITECTURE(name) append(name());
#include "architecture/architectures.def"
#undef PARE_ARCHITECTURE
    return list;
  }();
  return all;
}

const Architecture& find(std::string_view name) {
  std::vector<std::string> names;
  for (const Architecture& one : registry()) {
    if (one.info.name == name) return one;
    names.push_back(one.info.name);
  }
  fail(ErrorCode::kInvalidArgument, "there is no architecture '{}'{}\n  architectures: {}", name,
       nearest_hint(name, names), join(names, ", "));
}

void check_names(const ArchitectureInfo& info, const std::map<std::string, std::string>& options) {
  std::vector<std::string> names;
  for (const OptionInfo& option : info.options) names.push_back(option.name);
  for (const auto& [name, value] : options)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail(ErrorCode::kInvalidArgument, "{} has no option '{}'{}\n  its options: {}", info.name, name,
           nearest_hint(name, names), join(names, ", "));
}

}  // namespace

const std::vector<ArchitectureInfo>& all_architectures() {
  static const std::vector<ArchitectureInfo> infos = [] {
    std::vector<ArchitectureInfo> list;
    for (const Architecture& one : registry()) list.push_back(one.info);
    return list;
  }();
  return infos;
}

const ArchitectureInfo& find_architecture(std::string_view name) { return find(name).info; }

Model new_model(std::string_view name, const std::map<std::string, std::string>& options) {
  const Architecture& architecture = find(name);
  check_names(architecture.info, options);
  try {
    const StepOptions values(architecture.info.options, options);
    const std::int64_t seed = values.integer("seed");
    if (seed < 0) fail(ErrorCode::kInvalidArgument, "seed {} is negative", seed);
    NetBuilder net(architecture.info.name, static_cast<std::uint64_t>(seed));
    architecture.build(net, values);
    Model model = net.finish();
    // Defaults too: they may change one day, what the file says must not.
    std::string text = architecture.info.name;
    for (const OptionInfo& option : architecture.info.options)
      text += fmt::format(" {}={}", option.name, values.word(option.name));
    model.set_metadata(kArchitectureKey, text);
    check_model(model);
    return model;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    fail(ErrorCode::kInvalidArgument, "{}: {}", name, error.what());
  }
}

}  // namespace pare
