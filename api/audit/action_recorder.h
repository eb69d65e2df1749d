#pragma once
// Writes down who does what, as records of kind action: calls, joined by the second, and what the server does by
// itself. Its own thread writes, so that a call costs an entry in memory. What waits for the log is bounded; what does
// not fit is lost, counted, and the loss recorded as soon as that is possible.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/audit/joined_calls.h"
#include "api/endpoint/call_auditor.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe.
class ActionRecorder final : public CallAuditor {
 public:
  /// Records the start of the server, which is durable when this returns if it could be written. `store` and `clock`
  /// (null = system_clock()) must outlive it.
  ActionRecorder(Store& store, AuditSettings settings, const Clock* clock);
  /// Writes what waits, and the end of the server, if the store still takes them. Answers that wait are given.
  ~ActionRecorder() override;
  ActionRecorder(const ActionRecorder&) = delete;

  [[nodiscard]] bool may_serve(const AuditedAction& action) const override;
  [[nodiscard]] bool records(const AuditedAction& action, ActionOutcome outcome) const override;
  void note(const AnsweredCall& call) override;
  void answer(const AnsweredCall& call, Response response, Reply reply) override;

  /// An action that is no call: written within a window. `details` is a JSON object; `resource` may be empty.
  void record(const AuditedAction& action, std::string_view resource, std::string details,
              ActionOutcome outcome = ActionOutcome::Done);

  /// How many calls and other actions could not be recorded.
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] SubjectReport report() const;

 private:
  /// Waits for the log.
  struct Waiting {
    RecordDraft draft;
    std::size_t bytes;
    std::uint64_t calls;  ///< that it is about
  };
  struct Held {
    Response response;
    Reply reply;
  };
  struct Loss {
    std::uint64_t calls = 0;
    Timestamp first;
    Timestamp last;
  };

  /// Keeps an answer until its record is durable; false, and nothing was taken, if that is not possible.
  [[nodiscard]] bool hold(Response& response, Reply& reply);
  void run();
  [[nodiscard]] bool is_asked() const REQUIRES(mutex_) {
    return stop_ || is_open_ || !held_.empty() || !waiting_.empty() || untold_.has_value();
  }
  /// Writes all that there is; answers who waits for it.
  void flush() REQUIRES(mutex_);
  void enqueue(RecordDraft draft, std::uint64_t calls) REQUIRES(mutex_);
  void enqueue_joined() REQUIRES(mutex_);
  void lose(std::uint64_t calls) REQUIRES(mutex_);
  /// As much of what waits as one commit takes; false if it cannot be written now.
  [[nodiscard]] bool write_some() REQUIRES(mutex_);
  void open_window() noexcept;

  Store& store_;
  const AuditSettings settings_;
  const Clock& clock_;
  JoinedCalls joined_;
  std::atomic<bool> has_window_{false};  ///< somebody has opened it since it was last written
  std::atomic<bool> can_write_{true};
  std::atomic<std::uint64_t> unrecorded_{0};  ///< calls for which there was no memory; part of the next loss

  mutable Mutex mutex_;
  ConditionVariable changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  bool is_open_ GUARDED_BY(mutex_) = false;
  std::vector<Held> held_ GUARDED_BY(mutex_);
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ GUARDED_BY(mutex_) = 0;
  std::optional<Loss> untold_ GUARDED_BY(mutex_);  ///< what was lost and is not recorded yet
  std::uint64_t lost_ GUARDED_BY(mutex_) = 0;
  std::uint64_t written_ GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace stele::api
