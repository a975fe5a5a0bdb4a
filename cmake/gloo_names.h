// gloo_names.h - what torch's ProcessGroupGloo.hpp names of gloo, whose headers are not in torch's wheel.
#pragma once

#include <chrono>
#include <string>
#include <vector>

// Only held by pointer in torch's classes, and nothing here is called or made outside of libtorch: the layouts do not
// matter, the names do.
namespace gloo {
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};
namespace rendezvous {
class Store {
 public:
  virtual ~Store() = default;
  virtual void set(const std::string& key, const std::vector<char>& value) = 0;
  virtual std::vector<char> get(const std::string& key) = 0;
  virtual void wait(const std::vector<std::string>& keys) = 0;
  virtual void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) = 0;
};
}  // namespace rendezvous
namespace transport {
class Device;
class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = default;
};
}  // namespace transport
}  // namespace gloo
