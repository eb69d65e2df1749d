#include "tests/support/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "tests/support/build_paths.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace stele::tests {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what + ": " + std::strerror(errno)); }

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
  return {ends[0], ends[1]};
}

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

std::vector<std::string> merged_environment(const Environment& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("STELE_")) merged.emplace_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

struct ChildProcess::State {
  pid_t pid = -1;
  int stdin_fd = -1;
  int out_fd = -1;
  int err_fd = -1;
  std::thread collector;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::string out;
  std::string err;
  bool streams_ended = false;
  std::optional<int> exit_code;  // of the thread that owns the ChildProcess

  void collect() {
    std::array<pollfd, 2> fds{{{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}}};
    std::array<char, 65536> buffer{};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) break;
      for (std::size_t i = 0; i < fds.size(); ++i) {
        if (fds[i].fd < 0 || fds[i].revents == 0) continue;
        const ssize_t got = ::read(fds[i].fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
          fds[i].fd = -1;
          continue;
        }
        const std::lock_guard lock(mutex);
        (i == 0 ? out : err).append(buffer.data(), static_cast<std::size_t>(got));
        changed.notify_all();
      }
    }
    const std::lock_guard lock(mutex);
    streams_ended = true;
    changed.notify_all();
  }

  bool reap(bool block) {
    if (exit_code) return true;
    int status = 0;
    pid_t got = -1;
    do {
      got = ::waitpid(pid, &status, block ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got == pid) exit_code = exit_code_of(status);
    return exit_code.has_value();
  }
};

ChildProcess::ChildProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::unique_ptr<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments,
                                                  const Environment& environment, bool keep_stdin) {
  ::signal(SIGPIPE, SIG_IGN);  // writing to a child that is gone is an error code here
  auto texts = arguments;
  auto argv = pointers_to(texts);
  auto variables = merged_environment(environment);
  auto envp = pointers_to(variables);
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {  // only async-signal-safe calls from here to exec
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(in.read_end, STDIN_FILENO);
    ::dup2(out.write_end, STDOUT_FILENO);
    ::dup2(err.write_end, STDERR_FILENO);
    ::signal(SIGPIPE, SIG_DFL);
    ::execve(argv[0], argv.data(), envp.data());
    static constexpr std::string_view kMessage = "cannot execute the program\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
    ::_exit(127);
  }
  close_fd(in.read_end);
  close_fd(out.write_end);
  close_fd(err.write_end);
  if (!keep_stdin) close_fd(in.write_end);

  auto state = std::make_unique<State>();
  state->pid = pid;
  state->stdin_fd = in.write_end;
  state->out_fd = out.read_end;
  state->err_fd = err.read_end;
  state->collector = std::thread([raw = state.get()] { raw->collect(); });
  return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(state)));
}

ChildProcess::~ChildProcess() {
  close_stdin();
  if (!state_->reap(false)) {
    ::kill(state_->pid, SIGKILL);
    state_->reap(true);
  }
  state_->collector.join();
  close_fd(state_->out_fd);
  close_fd(state_->err_fd);
}

pid_t ChildProcess::pid() const { return state_->pid; }

void ChildProcess::signal(int number) {
  if (!state_->reap(false)) ::kill(state_->pid, number);
}

bool ChildProcess::write_stdin(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(state_->stdin_fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

void ChildProcess::close_stdin() { close_fd(state_->stdin_fd); }

int ChildProcess::wait(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // The streams end with the process (it has no children), so this waits without polling; the loop covers one that
  // closed them early.
  {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_until(lock, deadline, [this] { return state_->streams_ended; });
  }
  while (!state_->reap(false)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(state_->pid, SIGKILL);
      state_->reap(true);
      throw std::runtime_error("process did not end in time; stderr:\n" + err());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return *state_->exit_code;
}

bool ChildProcess::running() { return !state_->reap(false); }

std::string ChildProcess::out() const {
  const std::lock_guard lock(state_->mutex);
  return state_->out;
}

std::string ChildProcess::err() const {
  const std::lock_guard lock(state_->mutex);
  return state_->err;
}

std::string ChildProcess::wait_for_stderr(std::string_view text, std::chrono::seconds limit) {
  std::unique_lock lock(state_->mutex);
  std::string line;
  bool ended = false;
  const bool done = state_->changed.wait_for(lock, limit, [&] {
    if (const auto at = state_->err.find(text); at != std::string::npos) {
      if (const auto end = state_->err.find('\n', at); end != std::string::npos) {
        line = state_->err.substr(at, end - at);
        return true;
      }
    }
    ended = state_->streams_ended;
    return ended;
  });
  if (!done) throw std::runtime_error("no \"" + std::string(text) + "\" in time; stderr:\n" + state_->err);
  return line;
}

ProcessResult run_process(const std::vector<std::string>& arguments, std::string_view input,
                          const Environment& environment, std::chrono::seconds limit) {
  auto process = ChildProcess::start(arguments, environment, true);
  // A process that stops reading early (a usage error) is not a failure of the test.
  [[maybe_unused]] const bool all_read = process->write_stdin(input);
  process->close_stdin();
  ProcessResult result;
  result.exit_code = process->wait(limit);
  result.out = process->out();
  result.err = process->err();
  return result;
}

ProcessResult run_stele(const std::vector<std::string>& arguments, std::string_view input,
                        const Environment& environment) {
  std::vector<std::string> all{stele_binary()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_process(all, input, environment);
}

ServerProcess ServerProcess::start(const Options& options) {
  std::vector<std::string> arguments{stele_binary(), "serve",    "--data",
                                     options.data,   "--listen", "127.0.0.1:" + std::to_string(options.port)};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  ServerProcess server;
  // Records about reads would come between the events of tests that look at positions.
  Environment environment = options.environment;
  environment.emplace_back("STELE_AUDIT_READS", "none");
  server.process_ = ChildProcess::start(arguments, environment);
  static constexpr std::string_view kReady = "listening on ";  // and then the URL
  const std::string line = server.process_->wait_for_stderr(kReady);
  if (line.empty()) {
    const int code = server.process_->wait();
    throw std::runtime_error("server ended with code " + std::to_string(code) + " before it listened; stderr:\n" +
                             server.process_->err());
  }
  server.url_ = line.substr(kReady.size());
  server.port_ = std::atoi(line.c_str() + line.rfind(':') + 1);
  return server;
}

int ServerProcess::stop() {
  process_->signal(SIGTERM);
  return process_->wait();
}

void ServerProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

}  // namespace stele::tests
