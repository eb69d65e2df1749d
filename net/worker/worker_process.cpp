#include "net/worker/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <thread>

namespace stele::net {

namespace {

using namespace std::chrono_literals;

constexpr int kWorkerSocket = 3;
/// As much as one batch of events, so that the next one lies ready while the worker is at one. The kernel may give
/// less.
constexpr int kSocketBytes = 1 << 20;

/// What is told to posix_spawn().
class SpawnPlan {
 public:
  SpawnPlan() {
    error_ = ::posix_spawn_file_actions_init(&actions_);
    if (error_ == 0) error_ = ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void plan(int socket) {
    keep(::posix_spawn_file_actions_adddup2(&actions_, socket, kWorkerSocket));
    for (const int fd : {0, 1, 2}) keep(::posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_RDWR, 0));
    keep(::posix_spawn_file_actions_addclosefrom_np(&actions_, kWorkerSocket + 1));
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    keep(::posix_spawnattr_setsigmask(&attributes_, &none));
    keep(::posix_spawnattr_setsigdefault(&attributes_, &all));
    keep(::posix_spawnattr_setpgroup(&attributes_, 0));
    keep(::posix_spawnattr_setflags(&attributes_,
                                    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  }

  /// 0, or an errno.
  int spawn(const std::string& program, pid_t& pid) {
    if (error_ != 0) return error_;
    std::array<char, 6> name{"stele"};
    std::array<char, 7> command{"worker"};
    std::array<char*, 3> arguments{name.data(), command.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, arguments.data(), environment.data());
  }

 private:
  void keep(int error) {
    if (error_ == 0) error_ = error;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int error_ = 0;
};

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const std::string& program, const WorkerSetup& setup) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return os_error(errno, "cannot make a socket pair for a worker");
  }
  // Where this may not be as much as asked for, it is what it is.
  (void)::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof kSocketBytes);
  SpawnPlan plan;
  plan.plan(ends[1]);
  pid_t pid = -1;
  const int error = plan.spawn(program, pid);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return os_error(error, "cannot start a worker", program);
  }
  std::unique_ptr<WorkerProcess> process(new WorkerProcess(pid, ends[0]));
  std::string frame;
  append_setup(frame, setup);
  if (process->send(frame) != frame.size()) return os_error(EPIPE, "a worker ended at its start", program);
  return process;
}

WorkerProcess::~WorkerProcess() {
  kill();
  (void)reap(true);
  ::close(socket_);
}

std::optional<std::size_t> WorkerProcess::send(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
      break;
    } else {
      return std::nullopt;
    }
  }
  return sent;
}

bool WorkerProcess::receive() {
  constexpr std::size_t kReadBytes = 64U << 10;
  for (;;) {
    char* const room = replies_.prepare(kReadBytes);
    const ssize_t got = ::recv(socket_, room, kReadBytes, MSG_DONTWAIT);
    if (got > 0) {
      replies_.filled(static_cast<std::size_t>(got));
      // A worker that never stops is heard again after its replies were looked at.
      return true;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
}

void WorkerProcess::wait(bool to_send, std::chrono::milliseconds time) {
  pollfd waiting{socket_, static_cast<short>(to_send ? POLLIN | POLLOUT : POLLIN), 0};
  (void)::poll(&waiting, 1, static_cast<int>(std::max(time, 0ms).count()));
}

void WorkerProcess::limit_cpu(std::chrono::milliseconds more) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return;
  rlimit limit{};
  limit.rlim_max = RLIM_INFINITY;
  limit.rlim_cur = static_cast<rlim_t>(used.tv_sec + std::chrono::duration_cast<std::chrono::seconds>(more).count());
  (void)::prlimit(pid_, RLIMIT_CPU, &limit, nullptr);
}

std::uint64_t WorkerProcess::address_space_bytes() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/statm";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  std::uint64_t pages = 0;
  if (got <= 0 || std::from_chars(text.data(), text.data() + got, pages).ec != std::errc()) return 0;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void WorkerProcess::kill() {
  // Until it is reaped its number is nobody else's.
  if (!status_) (void)::kill(pid_, SIGKILL);
}

bool WorkerProcess::reap(bool wait) {
  if (status_) return true;
  int status = 0;
  pid_t got = -1;
  do {
    got = ::waitpid(pid_, &status, wait ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == pid_) status_ = status;
  // Someone else has reaped it, or nobody is to be told of the end of children.
  if (got < 0) status_ = SIGKILL;
  return status_.has_value();
}

int WorkerProcess::wait_for_end() {
  // The socket of a process that ends is closed a little before it can be reaped.
  for (int i = 0; i < 200 && !reap(false); ++i) std::this_thread::sleep_for(1ms);
  kill();
  (void)reap(true);
  return *status_;
}

}  // namespace stele::net
