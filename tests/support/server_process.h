#pragma once
// Runs the real `stele` binary beside a test: to its end (run_process) or as a server on a port of its own choosing
// (ServerProcess). Failures to start throw std::runtime_error with everything the process wrote, so that doctest shows
// it.

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::tests {

using Environment = std::vector<std::pair<std::string, std::string>>;

struct ProcessResult {
  int exit_code = -1;  ///< 128 + signal if a signal ended it
  std::string out;
  std::string err;
};

/// Runs `arguments` (the first is the program's path) to its end with `input` on stdin. `environment` is added to that
/// of the test, which is passed on without its STELE_* variables. Throws if it does not end within `limit` (it is
/// killed then).
[[nodiscard]] ProcessResult run_process(const std::vector<std::string>& arguments, std::string_view input = {},
                                        const Environment& environment = {},
                                        std::chrono::seconds limit = std::chrono::seconds{300});

/// run_process() of the binary under test.
[[nodiscard]] ProcessResult run_stele(const std::vector<std::string>& arguments, std::string_view input = {},
                                      const Environment& environment = {});

/// The shortest way to a program that keeps running: started by the constructor's factory, killed by the destructor.
/// What it writes is collected by a thread of its own. It dies with the thread that started it (PR_SET_PDEATHSIG), so
/// start it on one that stays.
class ChildProcess {
 public:
  [[nodiscard]] static std::unique_ptr<ChildProcess> start(const std::vector<std::string>& arguments,
                                                           const Environment& environment = {},
                                                           bool keep_stdin = false);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const;
  void signal(int number);
  /// Writes to stdin (only with keep_stdin); false once the process no longer reads.
  [[nodiscard]] bool write_stdin(std::string_view bytes);
  void close_stdin();
  /// Exit code, or 128 + signal; throws after `limit`, with the process killed. May be called again.
  int wait(std::chrono::seconds limit = std::chrono::seconds{60});
  [[nodiscard]] bool running();
  /// What was written so far (all of it after wait()).
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;
  /// Waits until stderr contains `text` and the rest of its line; returns that line from `text` on. Empty if the
  /// process ends first; throws after `limit`.
  [[nodiscard]] std::string wait_for_stderr(std::string_view text,
                                            std::chrono::seconds limit = std::chrono::seconds{60});

 private:
  struct State;
  explicit ChildProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `stele serve` on 127.0.0.1. The destructor kills it with SIGKILL; stop() ends it in good order.
class ServerProcess {
 public:
  struct Options {
    std::string data;                    ///< data folder
    std::vector<std::string> arguments;  ///< further flags of `serve`
    Environment environment;
    int port = 0;  ///< 0 = chosen by the system; the old port() to come back on the same one
  };

  /// Returns once the server listens. Throws if it ends before.
  [[nodiscard]] static ServerProcess start(const Options& options);

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] std::string err() const { return process_->err(); }
  [[nodiscard]] bool running() { return process_->running(); }
  [[nodiscard]] ChildProcess& process() { return *process_; }

  /// SIGTERM, then waits; returns the exit code.
  int stop();
  /// SIGKILL, then waits until the process is gone.
  void kill();
  /// Exit code of a process that ends by itself.
  int wait() { return process_->wait(); }

 private:
  std::unique_ptr<ChildProcess> process_;
  int port_ = 0;
  std::string url_;
};

}  // namespace stele::tests
