#include "train/torch/process_group.h"

#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <c10/core/GradMode.h>
#include <c10/util/Flags.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#define USE_C10D_GLOO  // torch was built with it; its header shows nothing otherwise
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/fail.h"
#include "core/words.h"

C10_DECLARE_int(caffe2_log_level);

namespace pare {
namespace {

using Milliseconds = std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr double kJoinFactor = 10;  ///< starting takes longer than a step: data is read first
constexpr Milliseconds kPatience{60 * 60 * 1000};
constexpr Milliseconds kRollCall{3000};  ///< for the survivors to say that they live

Milliseconds milliseconds(double seconds) { return Milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

/// What torch or gloo says, without its stack, the place in its source, and its advice.
std::string reason_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  text.resize(std::min(text.find('\n'), text.size()));
  text.resize(std::min(text.find(". This is typically"), text.size()));
  if (text.starts_with('[') && text.find("] ") != std::string::npos) text.erase(0, text.find("] ") + 2);
  return text;
}

/// The address of this machine from which `host` is reached: what the others can connect to. (A machine's own name
/// often stands for 127.0.1.1.) Connecting a UDP socket sends nothing.
std::string own_address(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    fail(ErrorCode::kIo, "workers: there is no host '{}'\n  remedy: the address of rank 0 in MASTER_ADDR", host);
  std::string address;
  for (const addrinfo* one = found; one != nullptr && address.empty(); one = one->ai_next) {
    const int socket = ::socket(one->ai_family, SOCK_DGRAM, 0);
    if (socket < 0) continue;
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char text[NI_MAXHOST] = {};
    if (connect(socket, one->ai_addr, one->ai_addrlen) == 0 &&
        getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
      address = text;
    close(socket);
  }
  freeaddrinfo(found);
  if (address.empty())
    fail(ErrorCode::kIo, "workers: '{}' cannot be reached from here\n  remedy: another address in MASTER_ADDR", host);
  return address;
}

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

std::string ranks_text(const std::vector<int>& ranks) {
  std::vector<std::string> words;
  for (const int rank : ranks) words.push_back(std::to_string(rank));
  return (words.size() == 1 ? "rank " : "ranks ") + join(words, ", ");
}

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

struct ProcessGroup::Connection {
  explicit Connection(const Workers& given) : workers(given) {}

  void join(const ProgressSink& progress) {
    const std::string own = own_address(workers.host, workers.port);
    open_store();
    store->set(key("here", workers.rank), bytes_of(own));
    wait_for_all(progress);
    check_addresses(own);
    auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(workers.timeout_s));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(own));
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, workers.rank, workers.count, options);
  }

  void open_store() {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(workers.port);
    options.isServer = workers.rank == 0 && workers.store.empty();
    options.waitWorkers = false;
    options.timeout = milliseconds(workers.timeout_s * kJoinFactor);
    try {
      store = c10::make_intrusive<c10d::TCPStore>(workers.host, options);
    } catch (const std::exception& error) {
      fail(ErrorCode::kIo, "workers: rank {} cannot {} {}:{} ({})\n  remedy: {}", workers.rank,
           options.isServer ? "listen at" : "reach rank 0 at", workers.host, workers.port, reason_of(error),
           options.isServer ? "another MASTER_PORT" : "start rank 0 as well; MASTER_ADDR and MASTER_PORT are its own");
    }
    if (!workers.store.empty()) store = c10::make_intrusive<c10d::PrefixStore>(workers.store, store);
  }

  void wait_for_all(const ProgressSink& progress) {
    const double seconds = workers.timeout_s * kJoinFactor;
    const auto end = Clock::now() + milliseconds(seconds);
    for (std::vector<int> missing = silent("here"); !missing.empty(); missing = silent("here")) {
      if (progress.cancelled()) fail(ErrorCode::kInterrupted, "interrupted while {} did not come", ranks_text(missing));
      if (Clock::now() > end)
        fail(ErrorCode::kIo,
             "workers: {} of {} did not come to {}:{} within {:.0f} s\n  remedy: start {} with the same MASTER_ADDR, "
             "MASTER_PORT and WORLD_SIZE",
             ranks_text(missing), workers.count, workers.host, workers.port, seconds,
             missing.size() == 1 ? "it" : "them");
      std::this_thread::sleep_for(Milliseconds(50));
    }
  }

  void check_addresses(const std::string& own) {
    for (int rank = 0; rank < workers.count; ++rank) {
      const std::vector<std::uint8_t> bytes = store->get(key("here", rank));
      const std::string other(bytes.begin(), bytes.end());
      if (is_loopback(other) == is_loopback(own)) continue;
      fail(ErrorCode::kIo,
           "workers: rank {} has the address {} and rank {} {}: they cannot reach each other\n  remedy: MASTER_ADDR as "
           "a "
           "number that means the same machine everywhere, not its name",
           rank, other, workers.rank, own);
    }
  }

  [[nodiscard]] static std::string key(const char* what, int rank) { return fmt::format("pare/{}/{}", what, rank); }

  /// Ranks that have not said so in the store; rank 0 if the store is gone, which lives in it.
  [[nodiscard]] std::vector<int> silent(const char* what) {
    std::vector<int> missing;
    try {
      for (int rank = 0; rank < workers.count; ++rank)
        if (!store->check({key(what, rank)})) missing.push_back(rank);
    } catch (const std::exception&) {
      return {0};
    }
    return missing;
  }

  /// Whoever lives says so. With two there is nothing to ask.
  [[noreturn]] void lost(const std::exception& error) {
    std::vector<int> missing = {1 - workers.rank};
    if (workers.count > 2) {
      try {
        store->set(key("alive", workers.rank), bytes_of("1"));
        missing = silent("alive");
        for (const auto start = Clock::now(); !missing.empty() && Clock::now() - start < kRollCall;) {
          std::this_thread::sleep_for(Milliseconds(100));
          missing = silent("alive");
        }
      } catch (const std::exception&) {
        missing = {0};
      }
    }
    const std::string who = missing.empty() ? "a connection" : ranks_text(missing);
    throw WorkerLost(who, reason_of(error));
  }

  template <class F>
  void together(F&& start) {
    const c10::NoGradGuard no_gradient;
    try {
      start()->wait();
    } catch (const std::exception& error) {
      lost(error);
    }
  }

  void sum(const at::Tensor& tensor) {
    std::vector<at::Tensor> tensors = {tensor};
    together([&] { return gloo->allreduce(tensors, {}); });
  }

  void copy_from_first(const at::Tensor& tensor, bool patient) {
    std::vector<at::Tensor> tensors = {tensor};
    c10d::BroadcastOptions options;
    options.rootRank = 0;
    options.timeout = patient ? std::max(kPatience, milliseconds(workers.timeout_s)) : milliseconds(workers.timeout_s);
    together([&] { return gloo->broadcast(tensors, options); });
  }

  const Workers& workers;
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

ProcessGroup::ProcessGroup(const Workers& workers, const ProgressSink& progress)
    : workers_(workers), connection_(std::make_unique<Connection>(workers_)) {
  if (workers.count < 2 || workers.rank < 0 || workers.rank >= workers.count || workers.host.empty() ||
      workers.port <= 0 || workers.port > 65535 || !(workers.timeout_s > 0))
    fail(ErrorCode::kInvalidArgument, "workers: rank {} of {} at '{}' port {} is no place among workers", workers.rank,
         workers.count, workers.host, workers.port);
  FLAGS_caffe2_log_level = 3;  // torch tells of closed connections on stderr; here they are errors with a remedy
  try {
    connection_->join(progress);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(ErrorCode::kIo,
         "workers: rank {} cannot connect to the others ({})\n  remedy: they must reach each other on every port",
         workers.rank, reason_of(error));
  }
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::sum(const at::Tensor& tensor) { connection_->sum(tensor); }

std::vector<double> ProcessGroup::sum(const std::vector<double>& numbers) {
  std::vector<double> total = numbers;
  connection_->sum(at::from_blob(total.data(), static_cast<std::int64_t>(total.size()), at::kDouble));
  return total;
}

void ProcessGroup::copy_from_first(const std::vector<at::Tensor>& tensors) {
  const c10::NoGradGuard no_gradient;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor plain = tensor.detach().contiguous();
    connection_->copy_from_first(plain, false);
    if (workers_.rank != 0) tensor.detach().copy_(plain);
  }
}

std::vector<double> ProcessGroup::of_first(const std::vector<double>& numbers, bool patient) {
  std::vector<double> copy = numbers;
  connection_->copy_from_first(at::from_blob(copy.data(), static_cast<std::int64_t>(copy.size()), at::kDouble),
                               patient);
  return copy;
}

void ProcessGroup::leave() {
  (void)sum(std::vector<double>{1});
  try {
    if (workers_.rank == 0)
      connection_->store->set("pare/left", bytes_of("1"));
    else
      connection_->store->wait({"pare/left"}, milliseconds(workers_.timeout_s));
  } catch (const std::exception&) {
    // Rank 0 has all that it needs, and is gone already.
  }
}

}  // namespace pare
