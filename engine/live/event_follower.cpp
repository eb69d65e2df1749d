#include "engine/live/event_follower.h"

#include <algorithm>
#include <utility>

#include "engine/live/follower_seat.h"
#include "engine/live/hub_core.h"

namespace stele {

namespace {

// What is read of the log at once: no view is held while a follower takes its time.
constexpr std::size_t kPieceEventsMax = 256;
constexpr std::size_t kPieceBytesMax = 256U << 10;

}  // namespace

EventFollower::EventFollower(std::shared_ptr<HubCore> core, std::shared_ptr<FollowerSeat> seat)
    : core_(std::move(core)), seat_(std::move(seat)) {}

EventFollower::~EventFollower() {
  core_->remove(seat_);
  const MutexLock lock(seat_->wake_mutex);
  seat_->wake = nullptr;
}

Result<EventFollower::Step> EventFollower::next(std::shared_ptr<const Record>& to, ReadBudget* budget) {
  for (;;) {
    if (core_->is_over()) return Step::Over;
    if (!piece_.empty()) {
      to = std::move(piece_.front());
      piece_.pop_front();
      const MutexLock lock(seat_->mutex);
      seat_->give_out(*to);  // reading may have ended for want of memory
      return Step::Event;
    }
    {
      const MutexLock lock(seat_->mutex);
      if (!seat_->queue.empty()) {
        to = std::move(seat_->queue.front());
        seat_->queue.pop_front();
        seat_->queue_bytes -= memory_bytes(*to);
        seat_->give_out(*to);
        return Step::Event;
      }
      if (seat_->at_head) {
        seat_->waits = true;
        if (core_->is_over()) return Step::Over;  // whoever ended it may have looked before
        return Step::AtHead;
      }
    }
    STELE_ASSIGN(const bool at_end, read_piece(budget));
    // At once, before what was read is given out: the end is near only now.
    if (at_end && core_->try_join_head(seat_)) continue;
    if (piece_.empty() && budget != nullptr && budget->used_up()) return Step::Paused;
  }
}

Result<bool> EventFollower::read_piece(ReadBudget* budget) {
  EventQuery query = seat_->query;
  Position examined;
  {
    const MutexLock lock(seat_->mutex);
    examined = seat_->examined;
  }
  if (examined > Position{0}) query.after = Position{examined.value() - 1};
  const auto view = core_->store().view();
  STELE_ASSIGN(const std::unique_ptr<EventStream> stream, view->query(query, budget));
  std::size_t bytes = 0;
  bool at_end = false;
  while (piece_.size() < kPieceEventsMax && bytes < kPieceBytesMax) {
    auto record = std::make_shared<Record>();
    const Result<bool> found = stream->next(*record);
    if (!found) {
      if (piece_.empty()) return found.error();
      break;  // what was read before it comes first
    }
    if (!*found) {
      at_end = !stream->rest_behind();
      examined = std::max(examined, stream->rest_behind() ? stream->rest_behind()->next() : view->end());
      break;
    }
    examined = record->header().position.next();
    bytes += memory_bytes(*record);
    piece_.push_back(std::move(record));
  }
  const MutexLock lock(seat_->mutex);
  seat_->examined = examined;
  return at_end;
}

Position EventFollower::examined_end() const {
  if (!piece_.empty()) return piece_.front()->header().position;
  const Position end = core_->end();  // first: what is before it is in the queue by now
  const MutexLock lock(seat_->mutex);
  if (!seat_->queue.empty()) return seat_->queue.front()->header().position;
  return seat_->at_head ? std::max(seat_->examined, end) : seat_->examined;
}

bool EventFollower::may_block() const {
  if (!piece_.empty()) return false;
  const MutexLock lock(seat_->mutex);
  return seat_->queue.empty() && !seat_->at_head;
}

bool EventFollower::has_fallen_behind() const {
  if (!piece_.empty()) return false;
  const MutexLock lock(seat_->mutex);
  return seat_->queue.empty() && !seat_->at_head && seat_->overflowed;
}

}  // namespace stele
