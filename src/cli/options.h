// options.h - options that mean the same in every verb, and what they open.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/shell.h"
#include "pare/dataset.h"
#include "pare/session.h"
#include "pare/step.h"

namespace pare {

/// --json, --quiet, --verbose.
void declare_output(CLI::App& app, OutputOptions& options);

struct RunOptions {
  std::string runtime = "onnxruntime";
  int threads = 1;
  std::uint64_t seed = 0;
  bool float32 = false;
  [[nodiscard]] SessionOptions session() const;
};
/// --runtime, --threads, --seed, --float32.
void declare_run(CLI::App& app, RunOptions& options);

struct DataOptions {
  std::string data, eval, preprocess;
  bool set_aside = false;  ///< leave out what compress sets aside for measuring
  std::vector<std::string> classes;
  std::int64_t limit = 0;
};
/// --data, --preprocess, --classes, --limit.
void declare_data(CLI::App& app, DataOptions& options, bool required);

/// Reads and checks an ONNX file.
[[nodiscard]] Model open_model(const std::string& path, bool allow_external_links = false);
/// The preprocessing of --preprocess, else the copy in the model, else none.
[[nodiscard]] Preprocess preprocess_for(const Model& model, const DataOptions& options);
/// The part of the data that is measured on where no held-out data is given, and the rest; always the same for the same
/// seed.
struct SplitData {
  std::shared_ptr<const Dataset> rest, held_out;
};
[[nodiscard]] SplitData split_data(const std::shared_ptr<const Dataset>& all, std::uint64_t seed);
[[nodiscard]] std::shared_ptr<const Dataset> open_data(const std::string& path, const Model& model,
                                                       const DataOptions& options);
/// Fails now, not after an hour of work, if an output of the verb (--out, --json, --report) cannot be written, is one
/// of its inputs, or is named twice.
void check_outputs(const CLI::App& verb);

}  // namespace pare
