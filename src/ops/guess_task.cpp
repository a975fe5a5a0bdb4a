#include "ops/guess_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

namespace pare {
namespace {

/// What is computed last, behind operators that only move or copy values.
const Node* last_real_node(const Graph& graph, const GraphIndex& index, std::string value) {
  constexpr std::array<std::string_view, 9> kMoving = {"Reshape",  "Squeeze", "Unsqueeze", "Flatten", "Transpose",
                                                       "Identity", "Cast",    "Resize",    "Upsample"};
  for (std::size_t steps = 0; steps <= graph.nodes.size(); ++steps) {
    const std::int64_t at = index.producer(value);
    if (at < 0) return nullptr;
    const Node& node = graph.nodes[static_cast<std::size_t>(at)];
    if (std::find(kMoving.begin(), kMoving.end(), node.op_type) == kMoving.end()) return &node;
    value = node.input(0);
  }
  return nullptr;
}

struct Picture {
  std::int64_t channels = 0, height = 0, width = 0;
};

class Guesser {
 public:
  Guesser(const Graph& graph, const ShapeOf& shape_of) : graph_(graph), index_(graph), shape_of_(shape_of) {}

  Guess run() const {
    for (const Node& node : graph_.nodes)
      if (node.is("NonMaxSuppression")) return {TaskGuess::kDetection, 0, "detection", "it holds NonMaxSuppression"};
    if (graph_.outputs.size() > 1) return several();
    if (graph_.outputs.empty()) return unknown("it has no output");
    const std::string& name = graph_.outputs[0].name;
    const auto shape = shape_of_(name);
    const Node* last = last_real_node(graph_, index_, name);
    const std::string end = last == nullptr ? "" : " and ends in " + last->op_type;
    if (!shape) return unknown(fmt::format("the shape of its output '{}' is not known", name));
    const std::string seen = fmt::format("the output is {}{}", shape_text(*shape), end);
    if (last != nullptr && last->is("ArgMax")) return arg_max(*last, *shape, seen);
    const bool flat = shape->size() == 4 && (*shape)[2] == 1 && (*shape)[3] == 1;
    if (shape->size() == 2 || flat) return vector((*shape)[1], last, seen);
    if (shape->size() <= 1) return {TaskGuess::kRegression, 0, "regression of one value", seen};
    if (shape->size() == 4) return picture(*shape, last, seen);
    if (shape->size() == 3 && shape->back() > 4 && (*shape)[1] > 99)
      return {TaskGuess::kDetection, 0, "detection", seen + ": a long list of boxes and scores"};
    return unknown(seen);
  }

 private:
  static Guess unknown(const std::string& reason) { return {TaskGuess::kUnknown, 0, "unknown", reason}; }

  Guess several() const {
    std::vector<Shape> shapes;
    for (const ValueInfo& output : graph_.outputs)
      if (const auto shape = shape_of_(output.name)) shapes.push_back(*shape);
    const auto boxes = [](const Shape& shape) { return shape.size() >= 2 && shape.back() == 4; };
    if (std::any_of(shapes.begin(), shapes.end(), boxes))
      return {TaskGuess::kDetection, 0, "detection", "one of its outputs is a list of boxes of four numbers"};
    if (equal_lists(shapes))
      return {TaskGuess::kDetection, 0, "detection", "its outputs are equally long lists of boxes and scores"};
    if (list_per_scale(shapes))
      return {TaskGuess::kDetection, 0, "detection", "its outputs are lists for grids that halve in size"};
    std::set<std::int64_t> heights;
    for (const Shape& shape : shapes)
      if (shape.size() == 4) heights.insert(shape[2]);
    if (heights.size() > 1)
      return {TaskGuess::kDetection, 0, "detection", "its outputs are feature maps of different sizes"};
    return unknown(fmt::format("it has {} outputs", graph_.outputs.size()));
  }

  /// [L, 14], [L, 2], [L, 1], or the same behind a batch dimension.
  static bool equal_lists(const std::vector<Shape>& shapes) {
    if (shapes.size() < 2) return false;
    const auto length = [](const Shape& shape) { return shape.size() < 2 ? 0 : shape[shape.size() - 2]; };
    bool narrow = false;
    for (const Shape& shape : shapes) {
      if (shape.size() > 3 || length(shape) < 100 || length(shape) != length(shapes[0])) return false;
      narrow = narrow || shape.back() <= 16;
    }
    return narrow;
  }
  /// [1, 1600, C], [1, 400, C], [1, 100, C].
  static bool list_per_scale(const std::vector<Shape>& shapes) {
    std::set<std::int64_t> lengths;
    for (const Shape& shape : shapes) {
      if (shape.size() != 3) return false;
      lengths.insert(shape[1]);
    }
    if (lengths.size() < 2) return false;
    for (auto next = std::next(lengths.begin()); next != lengths.end(); ++next)
      if (*next != 4 * *std::prev(next)) return false;
    return true;
  }

  Guess arg_max(const Node& node, const Shape& shape, const std::string& seen) const {
    const auto scores = shape_of_(node.input(0));
    std::int64_t axis = node.int_or("axis", 0), classes = 0;
    if (scores) {
      if (axis < 0) axis += static_cast<std::int64_t>(scores->size());
      if (axis >= 0 && axis < static_cast<std::int64_t>(scores->size()))
        classes = (*scores)[static_cast<std::size_t>(axis)];
    }
    const bool map = shape.size() >= 3 && element_count(shape) > shape[0];
    return map ? labelled(TaskGuess::kSegmentation, classes, seen)
               : labelled(TaskGuess::kClassification, classes, seen);
  }

  static Guess labelled(TaskGuess task, std::int64_t classes, const std::string& reason) {
    const std::string name(task_guess_name(task));
    return {task, classes, classes > 0 ? fmt::format("{} into {} classes", name, classes) : name, reason};
  }

  Guess vector(std::int64_t width, const Node* last, const std::string& seen) const {
    const auto before = last == nullptr ? std::nullopt : shape_of_(last->output(0));
    if (before && before->size() == 4 && (*before)[2] * (*before)[3] > 1)
      return unknown(fmt::format("{} of {}: feature maps, flattened", seen, shape_text(*before)));
    if (width == 1 && last != nullptr && last->is("Sigmoid")) return labelled(TaskGuess::kClassification, 2, seen);
    if (width == 1) return {TaskGuess::kRegression, 0, "regression of one value", seen};
    const bool scores = last != nullptr && (last->is("Softmax") || last->is("LogSoftmax"));
    return labelled(TaskGuess::kClassification, width,
                    scores ? seen : seen + ": taken for class scores, they may be values too");
  }

  /// The output as a picture, channels first or last, whichever fits the input's height and width.
  std::optional<std::pair<Picture, Picture>> pictures(const Shape& out) const {
    for (const ValueInfo& input : graph_.inputs) {
      const auto in = shape_of_(input.name);
      if (!in || in->size() != 4) continue;
      const auto first = [](const Shape& s) { return Picture{s[1], s[2], s[3]}; };
      const auto last = [](const Shape& s) { return Picture{s[3], s[1], s[2]}; };
      const bool in_first = (*in)[3] >= (*in)[1] || (*in)[3] >= (*in)[2];
      const Picture from = in_first ? first(*in) : last(*in);
      const auto fits = [&](const Picture& to) {
        return to.height > 1 && to.height * from.width == to.width * from.height;
      };
      for (const Picture& to : in_first ? std::array{first(out), last(out)} : std::array{last(out), first(out)})
        if (fits(to)) return std::pair(from, to);
    }
    return std::nullopt;
  }

  Guess picture(const Shape& out, const Node* last, const std::string& seen) const {
    const auto both = pictures(out);
    if (!both) return unknown(seen + ", which is no picture of its input");
    const auto& [from, to] = *both;
    if (to.height * 16 <= from.height) return unknown(seen + ": features, or the grid of a detector");
    const bool probabilities =
        last != nullptr && (last->is("Softmax") || last->is("LogSoftmax") || last->is("Sigmoid"));
    const bool colour = to.channels == 3 && to.height >= from.height;
    const std::string image =
        fmt::format("regression: a picture of {} channel{}", to.channels, to.channels == 1 ? "" : "s");
    if (to.channels == 1 && probabilities && to.height <= from.height && !same_channels(from, to))
      return labelled(TaskGuess::kSegmentation, 2, seen);
    if (to.channels == 1 || to.height > from.height || (colour && (last == nullptr || !last->is("Softmax"))))
      return {TaskGuess::kRegression, 0, image, seen};
    if (!probabilities && (to.channels > 64 || to.height * 8 <= from.height))
      return unknown(seen + ": features or heat maps");
    return labelled(TaskGuess::kSegmentation, to.channels, seen);
  }
  /// A picture in and as many channels out is rather an improved picture than a mask.
  static bool same_channels(const Picture& from, const Picture& to) { return from.channels == to.channels; }

  const Graph& graph_;
  GraphIndex index_;
  const ShapeOf& shape_of_;
};

}  // namespace

std::string_view task_guess_name(TaskGuess task) noexcept {
  switch (task) {
    case TaskGuess::kClassification:
      return "classification";
    case TaskGuess::kSegmentation:
      return "segmentation";
    case TaskGuess::kRegression:
      return "regression";
    case TaskGuess::kDetection:
      return "detection";
    case TaskGuess::kUnknown:
      break;
  }
  return "unknown";
}

Guess guess_task(const Graph& graph, const ShapeOf& shape_of) { return Guesser(graph, shape_of).run(); }

}  // namespace pare
