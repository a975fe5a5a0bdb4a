// pare/inspect.h - what a network is made of, what each part costs, and what each technique could act on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pare/graph.h"
#include "pare/session.h"

namespace pare {

/// Counted for the main graph. A node that holds a subgraph or calls a function of the model is one node with a note.
struct NodeCost {
  std::int64_t node = 0;  ///< index in Graph::nodes
  std::string label;      ///< node_label()
  std::string name, op_type, domain;
  std::vector<std::string> outputs;                 ///< value names, those left out are ""
  std::vector<std::optional<Shape>> output_shapes;  ///< one per output; nullopt: not known
  /// Numbers that training sets: weights, biases, scales and shifts, slopes; not BatchNormalization's running mean and
  /// variance, not shapes, axes, limits and quantization parameters. Shared weights count at every node that reads
  /// them.
  std::int64_t parameters = 0;
  /// Multiply-accumulates: products of weights and inputs in convolutions, matrix products and recurrent layers;
  /// padding counted as data, biases and all else not. nullopt: shapes or the operator are not known.
  std::optional<std::int64_t> macs = 0;
  std::int64_t weight_bytes = 0;  ///< of all stored tensors that the node reads, by itself or through constant nodes
  double mac_share = 0, parameter_share = 0, byte_share = 0;  ///< of the totals, 0 to 1
  std::string note;                                           ///< "" or what to know of the figures
};

struct ValueDescription {
  std::string name;
  DType dtype = DType::kUndefined;
  std::string declared;        ///< as in the file: "float32 [N, 3, H, W]"
  std::optional<Shape> shape;  ///< that the figures are for
};

enum class TaskGuess { kUnknown, kClassification, kSegmentation, kRegression, kDetection };
[[nodiscard]] std::string_view task_guess_name(TaskGuess task) noexcept;

/// One node and why a technique can or cannot act on it.
struct NodeNote {
  std::int64_t node = 0;
  std::string label, op_type;
  std::string note;
};

/// What one technique finds in the model, before anything is measured.
struct Opportunity {
  std::string technique;  ///< "fold_batchnorm", "int8", "int8 dynamic", "fp16", "prune", "low rank"
  std::string summary;    ///< "20 of 22 layers, 99.6 % of the MACs"
  std::vector<NodeNote> can, cannot;
  double mac_share = 0, parameter_share = 0;  ///< of the nodes in `can`
};

struct Inspection {
  std::vector<NodeCost> nodes;        ///< as in Graph::nodes
  std::int64_t total_parameters = 0;  ///< shared weights once
  std::int64_t total_macs = 0;        ///< of the nodes where they are known
  std::int64_t unknown_macs = 0;      ///< nodes where they are not
  std::int64_t weight_bytes = 0;      ///< all stored tensors, used or not, those of subgraphs included
  std::vector<std::pair<DType, std::int64_t>> bytes_by_dtype;   ///< of weight_bytes, largest first
  std::vector<std::pair<std::string, std::int64_t>> op_counts;  ///< nodes by operator, commonest first
  std::vector<ValueDescription> inputs, outputs;
  TaskGuess task = TaskGuess::kUnknown;
  std::int64_t classes = 0;  ///< classification and segmentation; 0: not known
  std::string task_text;     ///< "classification into 10 classes"
  std::string task_reason;   ///< "the output is [1, 10] and ends in Softmax"
  std::vector<Opportunity> opportunities;
  std::vector<std::string> notes;  ///< sentences: sizes that are open, weights that nothing reads ...
};

struct InspectOptions {
  std::int64_t batch = 1;                            ///< for a symbolic first dimension
  std::int64_t image_size = 0;                       ///< for all other symbolic dimensions; 0: they stay open
  std::map<std::string, std::int64_t> symbols = {};  ///< sizes by symbol ("H"), before batch and image_size
  std::map<std::string, Shape> input_shapes = {};    ///< by input name, before anything else
  const Trace* trace = nullptr;                      ///< shapes of a real run: used instead of inference
};

/// What cannot be told is left open and noted. Throws Error(kMalformedModel) on an attribute of the wrong type.
[[nodiscard]] Inspection inspect_model(const Model& model, const InspectOptions& options = {});

}  // namespace pare
