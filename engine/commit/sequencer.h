#pragma once
// The seam that decides the order of proposals. Local: the order in which they were submitted to this process.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/mutex.h"
#include "engine/commit/clock_watch.h"
#include "engine/commit/proposal.h"
#include "engine/commit/resolution.h"

namespace stele {

/// A proposal on its way. Stays at its address until its callback is called, because records borrow from it.
struct PendingCommit {
  Proposal proposal;
  Resolution resolution;
  AppendCallback callback;
  /// Given when it is ordered; none: the clock cannot be believed, and no record may be made of it.
  std::optional<Timestamp> stamp;
  std::int64_t began_nanos = 0;       ///< nanos_now() when it was proposed, for the metrics
  std::uint64_t bytes = 0;            ///< upper bound of its records
  std::uint64_t condition_bytes = 0;  ///< what its condition takes in memory
};
using Batch = std::vector<std::unique_ptr<PendingCommit>>;

enum class Submitted {
  Yes,
  QueueFull,
  Closed,
};

enum class TakeMode {
  Idle,  ///< has nothing else to do: wait for company while many clients are busy, but not long, or for interrupt()
  Busy,  ///< a group is being synced: wait until half of the usual number have come, or for interrupt()
};

class Sequencer {
 public:
  virtual ~Sequencer() = default;
  /// Any thread. If it is not Yes, `commit` is left untouched.
  [[nodiscard]] virtual Submitted submit(std::unique_ptr<PendingCommit>& commit) = 0;
  /// One thread. Waits for proposals and moves those that are ordered to `to`, stamped: none if interrupt() came first.
  /// False once closed and empty.
  [[nodiscard]] virtual bool take(Batch& to, TakeMode mode) = 0;
  /// Any thread. A taker that waits returns now, or from its next call.
  virtual void interrupt() = 0;
  /// Any thread. What was submitted before is still given out.
  virtual void close() = 0;
  [[nodiscard]] virtual std::uint64_t waiting() const = 0;
  /// Why what is given out now gets no stamp, empty if it does.
  [[nodiscard]] virtual std::string clock_refusal() const = 0;
  /// What else is wrong with the source of time, empty if nothing.
  [[nodiscard]] virtual std::string clock_alarm() const = 0;
};

struct LocalSequencerOptions {
  const Clock* clock;
  std::uint64_t proposals_max;
  std::uint64_t bytes_max;
  std::chrono::microseconds group_commit_delay;
  bool accept_clock_jumps = false;  ///< stamp with a clock that jumped ahead by however much
};

class LocalSequencer final : public Sequencer {
 public:
  explicit LocalSequencer(LocalSequencerOptions options)
      : options_(options), clock_watch_(*options.clock, options.accept_clock_jumps) {}

  [[nodiscard]] Submitted submit(std::unique_ptr<PendingCommit>& commit) override;
  [[nodiscard]] bool take(Batch& to, TakeMode mode) override;
  void interrupt() override;
  void close() override;
  [[nodiscard]] std::uint64_t waiting() const override;
  [[nodiscard]] std::string clock_refusal() const override { return clock_watch_.refusal(); }
  [[nodiscard]] std::string clock_alarm() const override { return clock_watch_.alarm(); }

 private:
  const LocalSequencerOptions options_;
  ClockWatch clock_watch_;
  mutable Mutex mutex_;
  ConditionVariable arrived_;
  Batch queue_ GUARDED_BY(mutex_);
  std::uint64_t queued_bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t wake_at_ GUARDED_BY(mutex_) = 0;  // the taker sleeps until so many wait; 0 = it does not sleep
  std::size_t gathered_ = 0;                    // for the group under way; the taker's
  double usual_batch_ = 1;  // the taker's: moving average of what comes for one group: how many clients are busy
  bool interrupted_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace stele
