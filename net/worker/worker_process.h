#pragma once
// One `stele worker`, from its parent's side: started, spoken to over a socket, killed, reaped. What is said is
// worker_protocol.h; who says it when, script_fold.h and worker_pool.h. One thread at a time.
//
// It has no descriptor but its socket and /dev/null, an empty environment, default signals, and a process group of its
// own, so that what a terminal sends does not reach it. It ends with the thread that started it, so that must be one
// that stays.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "net/worker/worker_protocol.h"

namespace stele::net {

class WorkerProcess {
 public:
  /// Returns before it is ready, which a reply will tell. `program` is the stele binary.
  [[nodiscard]] static Result<std::unique_ptr<WorkerProcess>> start(const std::string& program,
                                                                    const WorkerSetup& setup);
  /// Kills and reaps it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Sends what can be sent without waiting: how many bytes. None if the worker is gone.
  [[nodiscard]] std::optional<std::size_t> send(std::string_view bytes);
  /// Takes in what has come, without waiting; false if nothing more will.
  [[nodiscard]] bool receive();
  /// Until something has come, or (`to_send`) can be sent; at most `time`.
  void wait(bool to_send, std::chrono::milliseconds time);
  [[nodiscard]] ReplyReader& replies() { return replies_; }

  /// From now on it may use this much CPU time, then the kernel ends it: for when its server cannot.
  void limit_cpu(std::chrono::milliseconds more);
  /// Address space in use; 0 if that cannot be seen.
  [[nodiscard]] std::uint64_t address_space_bytes() const;

  /// Returns at once; it is dead soon.
  void kill();
  /// How it ended, as of waitpid(). One that does not end by itself within a moment is killed.
  [[nodiscard]] int wait_for_end();

  // What its owner remembers of it.
  std::uint64_t folds = 0;              ///< begun
  std::uint64_t generation = 0;         ///< how often processes had been retired when it was started
  std::uint64_t ready_space_bytes = 0;  ///< address_space_bytes() when it was ready

 private:
  WorkerProcess(pid_t pid, int socket) : pid_(pid), socket_(socket) {}
  [[nodiscard]] bool reap(bool wait);

  const pid_t pid_;
  const int socket_;
  ReplyReader replies_;
  std::optional<int> status_;
};

}  // namespace stele::net
