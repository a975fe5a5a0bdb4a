// wire.h - protobuf messages by hand, for files that no exporter of today writes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace pare::testing::wire {

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
/// A varint field.
inline std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
/// A string, bytes or message field.
inline std::string bytes(int field, const std::string& content) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(content.size()) + content;
}

/// ValueInfoProto of a dense tensor; negative dimensions become the symbol N.
inline std::string value_info(const std::string& name, int dtype, std::initializer_list<std::int64_t> dims) {
  std::string shape;
  for (const std::int64_t dim : dims)
    shape += bytes(1, dim < 0 ? bytes(2, "N") : number(1, static_cast<std::uint64_t>(dim)));
  return bytes(1, name) + bytes(2, bytes(1, number(1, static_cast<std::uint64_t>(dtype)) + bytes(2, shape)));
}
/// NodeProto; `attributes` are AttributeProto messages.
inline std::string node(const std::string& op, std::initializer_list<std::string> inputs,
                        std::initializer_list<std::string> outputs,
                        std::initializer_list<std::string> attributes = {}) {
  std::string out;
  for (const std::string& input : inputs) out += bytes(1, input);
  for (const std::string& output : outputs) out += bytes(2, output);
  out += bytes(4, op);
  for (const std::string& attribute : attributes) out += bytes(5, attribute);
  return out;
}
/// TensorProto without its data.
inline std::string tensor(const std::string& name, int dtype, std::initializer_list<std::int64_t> dims,
                          const std::string& data = {}) {
  std::string out;
  for (const std::int64_t dim : dims) out += number(1, static_cast<std::uint64_t>(dim));
  return out + number(2, static_cast<std::uint64_t>(dtype)) + bytes(8, name) + data;
}
inline std::string raw(const std::string& data) { return bytes(9, data); }
/// Data of a TensorProto in another file.
inline std::string external(std::initializer_list<std::pair<std::string, std::string>> entries) {
  std::string out = number(14, 1);
  for (const auto& [key, value] : entries) out += bytes(13, bytes(1, key) + bytes(2, value));
  return out;
}
/// ModelProto around a GraphProto.
inline std::string model(const std::string& graph, std::uint64_t ir_version = 8, std::uint64_t opset = 13) {
  return number(1, ir_version) + bytes(7, graph) + bytes(8, number(2, opset));
}
/// y = x + w, both float32 [2]; `weight` is w's TensorProto.
inline std::string add_model(const std::string& weight) {
  return model(bytes(1, node("Add", {"x", "w"}, {"y"})) + bytes(2, "g") + bytes(5, weight) +
               bytes(11, value_info("x", 1, {2})) + bytes(12, value_info("y", 1, {2})));
}

}  // namespace pare::testing::wire
