#pragma once
// One who follows the log: gets every record that a query asks for, in order, from its place on to whatever is appended
// later, without a gap or a double where the one becomes the other.

#include <cstdint>
#include <deque>
#include <memory>

#include "engine/base/ids.h"
#include "engine/base/read_budget.h"
#include "engine/base/result.h"
#include "engine/log/record.h"

namespace stele {

class HubCore;
struct FollowerSeat;

/// Made by EventHub::follow(). One thread at a time, which may be another one for each call. It may outlive its hub and
/// is over then, but the store must outlive every call of next(). Once its destructor has returned, `wake` is not
/// running and is not called any more; it must not be called from within `wake`.
class EventFollower {
 public:
  enum class Step {
    Event,   ///< `to` is the next match
    AtHead,  ///< all that there was when it began is given out, and nothing more is for now; `wake` is called, once,
             ///< when there is
    Paused,  ///< the budget is used up before anything was found: call again
    Over,    ///< the hub has stopped, or the store was closed
  };

  EventFollower(std::shared_ptr<HubCore> core, std::shared_ptr<FollowerSeat> seat);
  EventFollower(const EventFollower&) = delete;
  ~EventFollower();

  /// The next match. The record is shared with others that match it. `budget` (null = none) bounds what one call may
  /// read. Corrupt or Io: stored bytes that may match cannot be read; calling again tries again, and skips nothing.
  [[nodiscard]] Result<Step> next(std::shared_ptr<const Record>& to, ReadBudget* budget);

  /// Every match before this position was given out. It goes on where nothing matches, too, so that who begins again
  /// here misses nothing and reads little twice.
  [[nodiscard]] Position examined_end() const;

  /// Whether the call of next() that comes may wait for a disk: it is behind, and reads the log.
  [[nodiscard]] bool may_block() const;

  /// Whether it had reached the head, was then too slow for what was appended, and has given out all that was kept for
  /// it: next() would go on by reading the log again.
  [[nodiscard]] bool has_fallen_behind() const;

 private:
  /// Whether that was all that there is.
  [[nodiscard]] Result<bool> read_piece(ReadBudget* budget);

  const std::shared_ptr<HubCore> core_;
  const std::shared_ptr<FollowerSeat> seat_;
  std::deque<std::shared_ptr<const Record>> piece_;  // what was read of the log and not given out yet
};

}  // namespace stele
