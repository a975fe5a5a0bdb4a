// ONNX's text form, by the onnx library's own parser and printer.
#include <onnx/defs/parser.h>
#include <onnx/defs/printer.h>

#include <sstream>

#include "core/fail.h"
#include "graph/external_data.h"
#include "graph/proto.h"
#include "pare/model_io.h"

namespace pare {

Model model_from_text(std::string_view text) {
  onnx::ModelProto proto;
  onnx::OnnxParser parser(text);
  const auto status = parser.Parse(proto);
  if (!status.IsOK()) fail(ErrorCode::kMalformedModel, "cannot read the model's text: {}", status.ErrorMessage());
  if (!parser.EndOfInput()) fail(ErrorCode::kMalformedModel, "cannot read the model's text: something follows its end");
  return from_proto(proto, external_reader({}, false));
}

std::string model_to_text(const Model& model) {
  std::ostringstream out;
  out << to_proto(model);
  return std::move(out).str();
}

}  // namespace pare
