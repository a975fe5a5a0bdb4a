// pare new: a network to train from scratch.
#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/options.h"
#include "cli/verb.h"
#include "core/fail.h"
#include "core/words.h"
#include "pare/architecture.h"
#include "pare/inspect.h"
#include "pare/model_io.h"
#include "report/format.h"

namespace pare {
namespace {

class New final : public Verb {
 public:
  std::string name() const override { return "new"; }
  std::string summary() const override {
    return "Write a network to train from scratch, a student for instance: a known architecture with seeded weights";
  }
  std::string example() const override {
    return "pare new resnet20 --classes 10 --bands 4 --size 32 --width 0.5 --seed 1 -o student.onnx";
  }

  void declare(CLI::App& app) override {
    app.add_option("architecture", architecture_, "Its name, as --list has it");
    app.add_option("-o,--out", output_, "Where the network goes");
    app.add_flag("--list", list_, "List the architectures with their options and defaults, write nothing");
    app.add_option("--preprocess", preprocess_,
                   "JSON file that says how pixels become the input; stored in the network, so that no later step "
                   "needs it again");
    for (const OptionInfo& option : all_options())
      app.add_option("--" + option.name, values_[option.name], help_of(option))->group("Architecture");
  }

  int run(Shell& shell) override {
    if (list_) return list(shell);
    if (architecture_.empty())
      fail(ErrorCode::kInvalidArgument, "which architecture?\n  list them: pare new --list\n  example: {}", example());
    (void)find_architecture(architecture_);
    if (output_.empty())
      fail(ErrorCode::kInvalidArgument, "where does the network go?\n  remedy: -o {}.onnx", architecture_);
    std::map<std::string, std::string> given;
    for (const auto& [option, value] : values_)
      if (!value.empty()) given[option] = value;
    Model model = new_model(architecture_, given);
    if (!preprocess_.empty()) {
      DataOptions data;
      data.preprocess = preprocess_;
      model.set_metadata(kPreprocessKey, preprocess_to_json(preprocess_for(model, data)));
    }
    save_model(model, output_);
    report(shell, model);
    return kDone;
  }

 private:
  /// Every option that any architecture has, once.
  static std::vector<OptionInfo> all_options() {
    std::vector<OptionInfo> options;
    for (const ArchitectureInfo& info : all_architectures())
      for (const OptionInfo& option : info.options)
        if (std::none_of(options.begin(), options.end(), [&](const OptionInfo& o) { return o.name == option.name; }))
          options.push_back(option);
    return options;
  }

  /// What the option means, with the names where not nearly all have it or it means different things.
  static std::string help_of(const OptionInfo& option) {
    std::vector<std::pair<std::string, std::vector<std::string>>> meanings;
    std::size_t owners = 0;
    for (const ArchitectureInfo& info : all_architectures())
      for (const OptionInfo& one : info.options) {
        if (one.name != option.name) continue;
        ++owners;
        const auto same =
            std::find_if(meanings.begin(), meanings.end(), [&](const auto& m) { return m.first == one.help; });
        if (same == meanings.end())
          meanings.push_back({one.help, {info.name}});
        else
          same->second.push_back(info.name);
      }
    std::vector<std::string> texts;
    for (const auto& [help, names] : meanings)
      texts.push_back(names.size() <= 3 && (owners <= 3 || names.size() < owners) ? join(names, ", ") + ": " + help
                                                                                  : help);
    return join(texts, "; ") + (option.choices.empty() ? "" : " (" + join(option.choices, ", ") + ")");
  }

  int list(Shell& shell) const {
    nlohmann::json all = nlohmann::json::array();
    for (const ArchitectureInfo& info : all_architectures()) {
      if (!architecture_.empty() && info.name != find_architecture(architecture_).name) continue;
      std::vector<std::string> defaults;
      nlohmann::json options = nlohmann::json::object();
      for (const OptionInfo& option : info.options) {
        defaults.push_back(option.default_text.empty() ? fmt::format("[{}]", option.name)
                                                       : fmt::format("{}={}", option.name, option.default_text));
        options[option.name] = option.default_text;
      }
      shell.print(fmt::format("{:<19} {}\n{:<19} {}\n", info.name, info.summary, "", join(defaults, " ")));
      all.push_back({{"name", info.name}, {"summary", info.summary}, {"options", options}});
    }
    shell.print("options are given as --classes 10; pare new --help says what each means\n");
    shell.json({{"architectures", all}});
    return kDone;
  }

  void report(Shell& shell, const Model& model) const {
    const Inspection inspection = inspect_model(model);
    const std::int64_t size = size_on_disk(output_);
    const std::string macs =
        inspection.unknown_macs > 0 ? "MACs that depend on the size" : format_count(inspection.total_macs) + " MACs";
    shell.print(fmt::format("{}   {} parameters, {}, {}\n", std::filesystem::path(output_).filename().string(),
                            with_commas(inspection.total_parameters), macs, format_bytes(size)));
    shell.print(fmt::format("made        {}\n", *model.find_metadata(kArchitectureKey)));
    for (const ValueDescription& input : inspection.inputs)
      shell.print(fmt::format("input       {}: {}\n", input.name, input.declared));
    for (const ValueDescription& output : inspection.outputs)
      shell.print(fmt::format("output      {}: {}\n", output.name, output.declared));
    nlohmann::json document = {{"model", output_},
                               {"architecture", *model.find_metadata(kArchitectureKey)},
                               {"parameters", inspection.total_parameters},
                               {"size_bytes", size}};
    if (inspection.unknown_macs == 0) document["macs"] = inspection.total_macs;
    shell.json(document);
  }

  std::string architecture_, output_, preprocess_;
  bool list_ = false;
  std::map<std::string, std::string> values_;
};

}  // namespace

std::unique_ptr<Verb> make_new() { return std::make_unique<New>(); }

}  // namespace pare
