#include "graph/sniff.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace pare {
namespace {

struct Kind {
  std::string_view magic;
  std::string_view text;
};
using namespace std::string_view_literals;
constexpr std::array kKinds = {
    Kind{"PK\x03\x04"sv,
         "a zip archive (a torch .pt file is one too)\n  remedy: unpack it, or export to ONNX with torch.onnx.export"},
    Kind{"\x1f\x8b"sv, "a gzip file\n  remedy: unpack it with gunzip"},
    Kind{"\xfd"
         "7zXZ"sv,
         "an xz file\n  remedy: unpack it with unxz"},
    Kind{"BZh"sv, "a bzip2 file\n  remedy: unpack it with bunzip2"},
    Kind{"7z\xbc\xaf"sv, "a 7-Zip archive\n  remedy: unpack it"},
    Kind{"version https://git-lfs"sv, "a Git LFS pointer, not the file itself\n  remedy: git lfs pull"},
    Kind{"\x89HDF"sv, "an HDF5 file (Keras .h5?)\n  remedy: export to ONNX with tf2onnx"},
    Kind{"\x89PNG"sv, "a PNG image\n  remedy: name the .onnx file"},
    Kind{"\xff\xd8\xff"sv, "a JPEG image\n  remedy: name the .onnx file"},
    Kind{"\x80\x02"sv, "a Python pickle\n  remedy: export to ONNX with torch.onnx.export"},
    Kind{"\x80\x04"sv, "a Python pickle\n  remedy: export to ONNX with torch.onnx.export"},
    Kind{"%PDF"sv, "a PDF document\n  remedy: name the .onnx file"},
};

}  // namespace

std::string describe_foreign_file(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "an empty file\n  remedy: download or export it again";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 512));
  for (const Kind& kind : kKinds)
    if (text.starts_with(kind.magic)) return std::string(kind.text);
  if (text.size() > 8 && text.substr(4, 4) == "TFL3")
    return "a TensorFlow Lite file\n  remedy: convert it to ONNX with tf2onnx --tflite";
  std::string start;
  for (const char c : text)
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      start += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<head"))
    return "an HTML page\n  remedy: a download that needs a login or another address; fetch the file itself";
  if (start.starts_with("<?xml")) return "an XML file (OpenVINO IR?)\n  remedy: name the .onnx file";
  if (start.starts_with("{") || start.starts_with("[")) return "a JSON or text file\n  remedy: name the .onnx file";
  return {};
}

}  // namespace pare
