#pragma once
// Writes and syncs one group at a time on a thread of its own, so that the committer can index it and decide the next
// one meanwhile.

#include <atomic>
#include <functional>
#include <thread>

#include "engine/commit/commit_machine.h"
#include "engine/log/log_writer.h"

namespace stele {

/// Used by one thread. Between start() and finish() the log writer and the group belong to the thread inside.
class GroupWriter {
 public:
  /// `writer` must outlive this. `done` is called on the thread inside whenever a group is written or has failed.
  GroupWriter(LogWriter& writer, std::function<void()> done);
  ~GroupWriter();
  GroupWriter(const GroupWriter&) = delete;

  /// `group` must stay where it is until finish(). One at a time.
  void start(Group& group);
  [[nodiscard]] bool is_done() const { return state_.load(std::memory_order_acquire) == State::Done; }
  /// Waits. Ok: the group is durable.
  [[nodiscard]] Status finish();

  /// The same at once, on the caller's thread: cheaper for a small group.
  [[nodiscard]] static Status write(LogWriter& writer, Group& group);

 private:
  enum class State : int { Idle, Writing, Done, Ending };
  void run();
  void change(State to);

  LogWriter& writer_;
  const std::function<void()> done_;
  Group* group_ = nullptr;
  Status result_;
  std::atomic<State> state_{State::Idle};
  std::thread thread_;
};

}  // namespace stele
