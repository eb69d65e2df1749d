#include "api/live/live_feed.h"

#include <utility>

#include "api/access/authenticator.h"
#include "api/http/bounded_read.h"
#include "api/records/current_record.h"
#include "api/records/event_notes.h"

namespace stele::api {

LiveFeed::LiveFeed(LiveRoom& room, const Call& call, EventQuery query, LiveRoom::Place place)
    : room_(room),
      asker_(call.request()),
      query_(std::move(query)),
      place_(std::move(place)),
      authorization_(asker_.header("Authorization")),
      address_(asker_.remote_address()),
      needed_(query_.include_system ? Permission::Audit : Permission::Read),
      principal_(call.caller().shared_principal()),
      record_(call),
      credentials_until_(std::chrono::steady_clock::now() + room.options.live.credentials_interval),
      told_(query_.after) {}

void LiveFeed::begin(std::shared_ptr<Waker> waker) {
  if (notes() != nullptr) notes()->aliases.widen(query_.event_types);
  follower_ = room_.hub.follow(std::move(query_), [waker = std::move(waker)] { waker->wake(); });
}

LiveFeed::Step LiveFeed::give(const Record& record) {
  told_ = record.header().position;
  record_.show(*told_);
  room_.events_sent.fetch_add(1, std::memory_order_relaxed);
  return Step::Event;
}

Result<LiveFeed::Step> LiveFeed::next(std::shared_ptr<const Record>& to) {
  if (outdated_ != nullptr) {
    STELE_ASSIGN(to, read_again(room_.store, *outdated_));
    outdated_.reset();
    return give(*to);
  }
  if (!at_leisure_ && caught_up_ && follower_->has_fallen_behind()) {
    room_.cut_for_slowness.fetch_add(1, std::memory_order_relaxed);
    return Step::TooSlow;
  }
  ReadBudget budget = read_budget(asker_, room_.options.read_limits);
  STELE_ASSIGN(const EventFollower::Step step, follower_->next(to, &budget));
  switch (step) {
    case EventFollower::Step::Event:
      if (!may_be_outdated(*to, notes())) return give(*to);
      outdated_ = std::move(to);
      return Step::Paused;  // the next call may wait for a disk
    case EventFollower::Step::AtHead:
      return std::exchange(caught_up_, true) ? Step::Wait : Step::CaughtUp;
    case EventFollower::Step::Paused:
      return Step::Paused;
    case EventFollower::Step::Over:
      break;
  }
  return Step::Over;
}

std::optional<Position> LiveFeed::take_checkpoint() {
  if (outdated_ != nullptr) return std::nullopt;
  const Position end = follower_->examined_end();
  if (end == Position{0} || (told_ && end <= told_->next())) return std::nullopt;
  told_ = Position{end.value() - 1};
  return told_;
}

Position LiveFeed::position() const { return told_.value_or(Position{0}); }

bool LiveFeed::has_credentials() {
  record_.look_at_clock();
  if (principal_ == nullptr) return true;
  const auto now = std::chrono::steady_clock::now();
  if (now < credentials_until_) return true;
  credentials_until_ = now + room_.options.live.credentials_interval;
  const auto principal = room_.options.authenticator->granted(authorization_, address_, needed_);
  // With another limit it would see something else from here on.
  const bool good = principal != nullptr && principal->aggregate_types == principal_->aggregate_types;
  if (!good) room_.cut_for_credentials.fetch_add(1, std::memory_order_relaxed);
  return good;
}

}  // namespace stele::api
