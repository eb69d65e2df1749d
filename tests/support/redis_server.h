#pragma once
// A redis-server of the test's own, on loopback, with nothing on disk.

#include <memory>
#include <string>
#include <vector>

#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace stele::tests {

/// A port of loopback that nobody listens on at the moment.
[[nodiscard]] int free_port();

class RedisServer {
 public:
  /// Returns once it answers. `arguments` are further ones of redis-server. Throws if it does not start.
  explicit RedisServer(std::vector<std::string> arguments = {});

  [[nodiscard]] int port() const { return port_; }
  /// Without a password, database 0.
  [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
  /// SIGKILL; what it held is gone.
  void kill();
  /// Again, empty, on the same port.
  void start();
  /// It goes on taking connections and bytes, as the kernel does for it, and does nothing.
  void hang();
  void go_on();
  /// What redis-cli prints, without the last line feed.
  [[nodiscard]] std::string ask(const std::vector<std::string>& arguments) const;

 private:
  test::TempFolder folder_;
  const std::vector<std::string> arguments_;
  const int port_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace stele::tests
