// command.h - runs the built command as a user would.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "pare/model_io.h"
#include "support/support.h"

namespace pare::testing {

struct CommandResult {
  int code = -1;
  std::string out, err;
};

/// `arguments` is a piece of shell text; paths in it must be quoted if need be.
inline CommandResult pare_command(const TempDir& folder, const std::string& arguments) {
  const std::string out = (folder / "stdout.txt").string(), err = (folder / "stderr.txt").string();
  const std::string line = std::string(PARE_BINARY_DIR) + "/pare " + arguments + " >" + out + " 2>" + err;
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(err)};
}

/// A network that classifies 3 x 8 x 8 images into two: Conv, BatchNormalization, Relu, pooling, Gemm; written to
/// `path`.
inline void write_small_network(const std::filesystem::path& path) {
  save_model(model_from_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 8, 8] x) => (float[N, 2] y) <
      float[4, 3, 1, 1] w = {1, 0, 0, 0, 1, 0, 0, 0, 1, -1, -1, -1}, float[4] scale = {1, 1, 1, 1}, float[4] shift = {0, 0, 0, 1},
      float[4] mean = {0, 0, 0, 0}, float[4] var = {1, 1, 1, 1}, float[4, 2] fc = {1, 0, 0, 1, 0.5, 0.5, -1, 1}, float[2] b = {0, 0.1}> {
      c = Conv(x, w)
      n = BatchNormalization(c, scale, shift, mean, var)
      r = Relu(n)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      y = Gemm(f, fc, b)
    })"),
             path);
}

}  // namespace pare::testing
