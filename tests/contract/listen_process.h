#pragma once
// `stele listen` beside a test, on a port of its own.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/server_process.h"

namespace stele::tests {

class ListenProcess {
 public:
  /// `port`: 0 = chosen by the system. Returns once it listens; throws if it ends before.
  explicit ListenProcess(std::vector<std::string> arguments = {}, const Environment& environment = {}, int port = 0);

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  [[nodiscard]] ChildProcess& process() { return *process_; }

  /// Waits until `text` has been printed `times` times.
  void wait_for(std::string_view text, std::size_t times = 1);
  /// Ends it in good order; the lines it has printed.
  std::vector<std::string> end();

 private:
  std::unique_ptr<ChildProcess> process_;
  int port_ = 0;
};

/// Without their ends.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text);

}  // namespace stele::tests
