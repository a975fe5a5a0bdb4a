#include "train/features.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/fail.h"
#include "core/words.h"

namespace pare {
namespace {

constexpr std::array<std::string_view, 8> kActivations = {"Relu", "Clip",      "LeakyRelu", "PRelu",
                                                          "Add",  "HardSwish", "Sigmoid",   "Mul"};

bool is_activation(const Node& node) {
  return std::find(kActivations.begin(), kActivations.end(), node.op_type) != kActivations.end();
}

/// Values of images, in the order in which they are made.
std::vector<std::string> hidden_images(const Model& model, const Trace& trace) {
  std::vector<std::string> values;
  for (const Node& node : model.graph.nodes) {
    const std::string& value = node.output(0);
    const auto shape = trace.shapes.find(value);
    if (!is_activation(node) || shape == trace.shapes.end() || shape->second.size() != 4) continue;
    if (shape->second[2] * shape->second[3] > 1) values.push_back(value);
  }
  return values;
}

FeaturePair pair_of(const std::string& student, const Trace& student_trace, const std::string& teacher,
                    const Trace& teacher_trace) {
  const auto shape_in = [](const Trace& trace, const std::string& value, const char* who) {
    if (const auto found = trace.shapes.find(value); found != trace.shapes.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [name, shape] : trace.shapes) names.push_back(name);
    fail(ErrorCode::kInvalidArgument, "features: the {} has no value '{}'{}", who, value, nearest_hint(value, names));
  };
  FeaturePair pair{.student = student,
                   .teacher = teacher,
                   .student_shape = shape_in(student_trace, student, "student"),
                   .teacher_shape = shape_in(teacher_trace, teacher, "teacher")};
  if (pair.student_shape.size() != pair.teacher_shape.size() ||
      (pair.student_shape.size() != 2 && pair.student_shape.size() != 4))
    fail(ErrorCode::kInvalidArgument,
         "features: '{}' {} and '{}' {} cannot be compared\n  remedy: two values [N, C, H, W], or two [N, C]", student,
         shape_text(pair.student_shape), teacher, shape_text(pair.teacher_shape));
  return pair;
}

bool is_pruned(const Shape& student, Shape teacher) {
  if (student.size() != teacher.size() || student[1] >= teacher[1]) return false;
  teacher[1] = student[1];
  return student == teacher;
}

/// The last value of each size that is there under the same name in both, with the same shape, or fewer channels.
std::vector<FeaturePair> common_values(const Model& student, const Trace& student_trace, const Trace& teacher_trace,
                                       bool fewer) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> last;
  for (const std::string& value : hidden_images(student, student_trace)) {
    const Shape& shape = student_trace.shapes.at(value);
    const auto other = teacher_trace.shapes.find(value);
    if (other != teacher_trace.shapes.end() && (fewer ? is_pruned(shape, other->second) : other->second == shape))
      last[{-shape[2], -shape[3]}] = value;
  }
  std::vector<FeaturePair> pairs;
  for (const auto& [size, value] : last) pairs.push_back(pair_of(value, student_trace, value, teacher_trace));
  return pairs;
}

/// The last value of each size that both have.
std::vector<FeaturePair> values_of_one_size(const Model& student, const Trace& student_trace, const Model& teacher,
                                            const Trace& teacher_trace) {
  using Size = std::pair<std::int64_t, std::int64_t>;
  const auto last_of = [](const Model& model, const Trace& trace) {
    std::map<Size, std::string> last;
    for (const std::string& value : hidden_images(model, trace)) {
      const Shape& shape = trace.shapes.at(value);
      last[{-shape[2], -shape[3]}] = value;
    }
    return last;
  };
  const auto mine = last_of(student, student_trace), theirs = last_of(teacher, teacher_trace);
  std::vector<FeaturePair> pairs;
  for (const auto& [size, value] : mine)
    if (const auto found = theirs.find(size); found != theirs.end())
      pairs.push_back(pair_of(value, student_trace, found->second, teacher_trace));
  return pairs;
}

/// Matches the channels of all pairs, or of those where pruning may have left fewer: what both networks make of the
/// samples tells.
void find_kept(std::vector<FeaturePair>& pairs, const Model& student, const Model& teacher, const NamedTensors& samples,
               bool all) {
  SessionOptions mine{.force_float32 = true}, theirs{.force_float32 = true};
  std::vector<FeaturePair*> pruned;
  for (FeaturePair& pair : pairs) {
    if (!all && !is_pruned(pair.student_shape, pair.teacher_shape)) continue;
    pruned.push_back(&pair);
    mine.extra_outputs.push_back(pair.student);
    theirs.extra_outputs.push_back(pair.teacher);
  }
  if (pruned.empty()) return;
  const std::vector<Tensor> given = open_session(student, mine)->run(samples),
                            wanted = open_session(teacher, theirs)->run(samples);
  for (std::size_t i = 0; i < pruned.size(); ++i)
    pruned[i]->kept = match_channels(given[student.graph.outputs.size() + i], wanted[teacher.graph.outputs.size() + i]);
}

/// Not the student's own: another network may have a value of the same name that means something else.
bool is_unrelated(const FeaturePair& pair) {
  return !pair.kept || (pair.same_channels() && pair.kept->student != pair.kept->teacher);
}

}  // namespace

std::vector<FeaturePair> find_features(const Model& student, const Model& teacher,
                                       const std::vector<std::string>& words, const NamedTensors& samples) {
  const std::string only = words.size() == 1 ? words.front() : "";
  if (words.empty() || only == "none") return {};
  const Trace student_trace = trace_model(student, samples, 0), teacher_trace = trace_model(teacher, samples, 0);
  std::vector<FeaturePair> pairs;
  if (only == "auto" || only == "same") {
    pairs = common_values(student, student_trace, teacher_trace, false);
    if (pairs.empty()) pairs = common_values(student, student_trace, teacher_trace, true);
    if (only == "auto" && pairs.empty()) pairs = values_of_one_size(student, student_trace, teacher, teacher_trace);
    if (only == "auto" && pairs.empty())
      fail(ErrorCode::kInvalidArgument,
           "features=auto: student and teacher have no images of one size inside\n  remedy: name pairs: "
           "student=teacher");
  } else {
    for (const std::string& word : words) {
      const std::size_t equals = word.find('=');
      const std::string mine = word.substr(0, equals);
      pairs.push_back(
          pair_of(mine, student_trace, equals == std::string::npos ? mine : word.substr(equals + 1), teacher_trace));
    }
  }
  find_kept(pairs, student, teacher, samples, only == "same");
  if (only == "same") std::erase_if(pairs, is_unrelated);
  for (FeaturePair& pair : pairs)
    if (pair.same_channels()) pair.kept.reset();
  return pairs;
}

}  // namespace pare
