#include "support/support.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/free_port.h"

namespace pare::testing {

std::string difference_text(const std::vector<float>& a, const std::vector<float>& b, Tolerance tolerance) {
  if (a.size() != b.size()) return fmt::format("{} elements instead of {}", a.size(), b.size());
  double worst = 0;
  std::size_t worst_index = 0, count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i]) continue;
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (difference <= tolerance.atol + tolerance.rtol * std::abs(b[i])) continue;
    ++count;
    if (!(difference <= worst)) worst = difference, worst_index = i;
  }
  if (count == 0) return {};
  return fmt::format("{} of {} elements differ, worst at {}: {} instead of {}, by {}", count, a.size(), worst_index,
                     a[worst_index], b[worst_index], worst);
}

std::string difference_text(const Tensor& a, const Tensor& b, Tolerance tolerance) {
  if (a.dtype() != b.dtype()) return fmt::format("{} instead of {}", dtype_name(a.dtype()), dtype_name(b.dtype()));
  if (a.shape() != b.shape())
    return fmt::format("shape {} instead of {}", shape_text(a.shape()), shape_text(b.shape()));
  return difference_text(a.to_floats(), b.to_floats(), tolerance);
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "pare_test_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path shared_folder() {
  const char* set = std::getenv("PARE_SHARED");
  const std::filesystem::path folder =
      set != nullptr ? set : std::filesystem::path(PARE_SOURCE_DIR).parent_path() / "shared";
  if (std::filesystem::is_directory(folder / "models")) return folder;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") ADD_FAILURE() << "no shared folder at " << folder;
  return {};
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(socket);
  return ntohs(address.sin_port);
}

}  // namespace pare::testing
