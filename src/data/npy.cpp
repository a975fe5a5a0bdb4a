#include "data/npy.h"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/fail.h"
#include "core/words.h"

namespace pare::data {
namespace {

/// The text after `key` in the header, a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),
/// }.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string word = quote + std::string(key) + quote;
    const std::size_t at = header.find(word);
    if (at == std::string_view::npos) continue;
    const std::size_t start = header.find_first_not_of(" :", at + word.size());
    if (start != std::string_view::npos) return header.substr(start);
  }
  return std::nullopt;
}

struct TypeName {
  std::string_view text;
  DType dtype;
};
constexpr std::array<TypeName, 12> kTypes = {{{"f4", DType::kFloat32},
                                              {"f8", DType::kFloat64},
                                              {"f2", DType::kFloat16},
                                              {"u1", DType::kUint8},
                                              {"i1", DType::kInt8},
                                              {"u2", DType::kUint16},
                                              {"i2", DType::kInt16},
                                              {"u4", DType::kUint32},
                                              {"i4", DType::kInt32},
                                              {"i8", DType::kInt64},
                                              {"b1", DType::kBool},
                                              {"?", DType::kBool}}};

DType parse_type(std::string_view value, const std::string& label) {
  if (value.empty() || (value[0] != '\'' && value[0] != '"'))
    fail(ErrorCode::kUnsupported, "{} holds records with named fields; arrays of plain numbers are read", label);
  std::string_view text = value.substr(1);
  text = text.substr(0, text.find(value[0]));
  const std::string_view name = text.find_first_of("<>|=") == 0 ? text.substr(1) : text;
  if (text.starts_with('>') && !name.ends_with('1'))
    fail(ErrorCode::kUnsupported, "{} is big-endian ({})\n  remedy: x.astype(x.dtype.newbyteorder('<')) before saving",
         label, text);
  for (const TypeName& type : kTypes)
    if (type.text == name) return type.dtype;
  fail(ErrorCode::kUnsupported,
       "{} has elements of type '{}'; read are f2 f4 f8 u1 u2 u4 i1 i2 i4 i8 b1\n  remedy: x.astype('float32') before "
       "saving",
       label, text);
}

Shape parse_shape(std::string_view value, const std::string& label) {
  Shape shape;
  const std::size_t end = value.find(')');
  if (!value.starts_with('(') || end == std::string_view::npos)
    fail(ErrorCode::kIo, "{} is damaged: its header has no shape", label);
  for (const std::string& part : split(value.substr(1, end - 1), ',')) {
    const std::string word = trim(part);
    if (word.empty()) continue;
    std::int64_t dim = -1;
    const auto [stop, code] = std::from_chars(word.data(), word.data() + word.size(), dim);
    if (code != std::errc{} || stop != word.data() + word.size() || dim < 0)
      fail(ErrorCode::kIo, "{} is damaged: its header has the dimension '{}'", label, word);
    shape.push_back(dim);
  }
  return shape;
}

}  // namespace

NpyArray read_npy(SharedBytes file, const std::string& label) {
  static constexpr char kMagic[] = "\x93NUMPY";
  if (file->size() < 10 || std::memcmp(file->bytes(0, 6).data(), kMagic, 6) != 0)
    fail(ErrorCode::kIo, "{} is no .npy array: its first bytes are not those of one", label);
  const auto byte = [&](std::int64_t at) { return std::to_integer<std::int64_t>(file->bytes(at, 1)[0]); };
  const bool short_length = byte(6) == 1;
  std::int64_t length = byte(8) + 256 * byte(9);
  if (!short_length) length += (byte(10) << 16) + (byte(11) << 24);
  const std::int64_t start = short_length ? 10 : 12;
  if (length > file->size() - start) fail(ErrorCode::kIo, "{} is truncated: its header does not end", label);
  const std::span<const std::byte> bytes = file->bytes(start, length);
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()), bytes.size());

  const auto descr = value_of(header, "descr"), order = value_of(header, "fortran_order"),
             dims = value_of(header, "shape");
  if (!descr || !order || !dims) fail(ErrorCode::kIo, "{} is damaged: its header says no type and shape", label);
  NpyArray array;
  array.label = label;
  array.dtype = parse_type(*descr, label);
  array.shape = parse_shape(*dims, label);
  if (order->starts_with("True") && array.shape.size() > 1)
    fail(ErrorCode::kUnsupported,
         "{} is stored column by column (fortran_order)\n  remedy: numpy.ascontiguousarray(x) "
         "before saving",
         label);
  const std::int64_t count = element_count(array.shape);
  // A count beyond the file's bytes is not multiplied: it could overflow.
  const std::int64_t size = count > file->size() ? count : count * dtype_bits(array.dtype) / 8;
  if (size > file->size() - start - length)
    fail(ErrorCode::kIo, "{} is truncated: {} of {} bytes are there", label, with_commas(file->size() - start - length),
         with_commas(size));
  array.bytes = slice(std::move(file), start + length, size);
  return array;
}

}  // namespace pare::data
