// npy.h - NumPy's array files (.npy) and archives of them (.npz).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "data/byte_source.h"
#include "pare/tensor.h"

namespace pare::data {

struct NpyArray {
  DType dtype = DType::kUndefined;
  Shape shape;
  SharedBytes bytes;  ///< the elements alone; not aligned
  std::string label;  ///< "x.npy in data.npz"
};

/// Throws Error(kIo) on damage, Error(kUnsupported) with the remedy on types and orders that are not read.
[[nodiscard]] NpyArray read_npy(SharedBytes file, const std::string& label);
/// Arrays by name, without their ".npy".
[[nodiscard]] std::map<std::string, NpyArray> read_npz(const std::filesystem::path& path);

}  // namespace pare::data
