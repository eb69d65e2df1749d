#include "api/live/live_feed.h"

#include <utility>
#include <vector>

#include "api/access/authenticator.h"
#include "api/http/bounded_read.h"
#include "api/records/current_record.h"
#include "api/records/event_json.h"
#include "api/records/event_notes.h"

namespace stele::api {

namespace {

/// What is upcast without a script on an I/O thread.
constexpr std::size_t kInlineUpcastBytesMax = 32U << 10;
constexpr std::size_t kReadyEventsMax = 64;
constexpr std::size_t kReadyBytesMax = 256U << 10;

}  // namespace

void LiveEvent::append_json(std::string& to, const EventNotes* notes) const {
  append_event_json(to, *record, DataForm::Minified, notes, upcast ? &*upcast : nullptr);
}

LiveFeed::LiveFeed(LiveRoom& room, const Call& call, EventQuery query, SchemaVersionChoice version,
                   LiveRoom::Place place)
    : room_(room),
      asker_(call.request()),
      query_(std::move(query)),
      place_(std::move(place)),
      authorization_(asker_.header("Authorization")),
      address_(asker_.remote_address()),
      needed_(query_.include_system ? Permission::Audit : Permission::Read),
      principal_(call.caller().shared_principal()),
      record_(call, room.options.clock != nullptr ? *room.options.clock : system_clock()),
      credentials_until_(std::chrono::steady_clock::now() + room.options.live.credentials_interval),
      told_(query_.after),
      version_(version) {}

void LiveFeed::begin(std::shared_ptr<Waker> waker) {
  if (notes() != nullptr) notes()->aliases.widen(query_.event_types);
  follower_ = room_.hub.follow(std::move(query_), [waker = std::move(waker)] { waker->wake(); });
}

LiveFeed::Step LiveFeed::give(LiveEvent& to, LiveEvent event) {
  to = std::move(event);
  told_ = to.record->header().position;
  record_.show(*told_);
  room_.events_sent.fetch_add(1, std::memory_order_relaxed);
  return Step::Event;
}

bool LiveFeed::must_wait(const Record& record, const ShownVersions& versions) const {
  if (may_be_outdated(record, notes())) return true;
  if (!versions.concerns(record)) return false;
  return versions.needs_worker(record) || record.header().data_length.value_or(0) > kInlineUpcastBytesMax;
}

bool LiveFeed::is_too_slow() const { return !at_leisure_ && caught_up_ && follower_->has_fallen_behind(); }

bool LiveFeed::is_current(const ReadyEvent& ready) const {
  const Record& record = *ready.event.record;
  if (!may_be_outdated(record, notes())) return true;
  return ready.standing.under_way == 0 && notes()->redactions.standing(record.header().aggregate_id) == ready.standing;
}

Status LiveFeed::make_ready() {
  const ShownVersions versions = shown_versions(notes(), version_);
  std::size_t bytes = 0;
  for (const auto& record : held_) bytes += record->header().data_length.value_or(0);
  ReadBudget budget = read_budget(asker_, room_.options.read_limits);
  // Many at once, so that a script is not asked for each. Whatever ends this comes again with the next call.
  while (versions.chains != nullptr && held_.size() < kReadyEventsMax && bytes < kReadyBytesMax && !is_too_slow()) {
    std::shared_ptr<const Record> record;
    const auto step = follower_->next(record, &budget);
    if (!step || *step != EventFollower::Step::Event) break;
    bytes += record->header().data_length.value_or(0);
    held_.push_back(std::move(record));
  }
  std::vector<const Record*> shown;
  std::vector<RedactionNotes::Standing> standings(held_.size());
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (notes() != nullptr) standings[i] = notes()->redactions.standing(held_[i]->header().aggregate_id);
    if (may_be_outdated(*held_[i], notes())) {
      STELE_ASSIGN(held_[i], read_again(room_.store, *held_[i]));
    }
    shown.push_back(held_[i].get());
  }
  UpcastTerms terms;
  terms.abandoned = [this] { return asker_.abandoned(); };
  std::vector<Upcast> upcasts = upcast_events(shown, versions, terms);
  std::deque<ReadyEvent> ready;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    ReadyEvent& made = ready.emplace_back();
    made.event.record = held_[i];
    made.standing = standings[i];
    if (!upcasts.empty()) made.event.upcast = std::move(upcasts[i]);
  }
  // Only once nothing can throw any more: what was taken from the follower does not come again.
  ready_.swap(ready);
  held_.clear();
  return {};
}

Result<LiveFeed::Step> LiveFeed::next(LiveEvent& to) {
  const bool made_now = !held_.empty();
  if (made_now) STELE_TRY(make_ready());
  if (!ready_.empty()) {
    if (!made_now && !is_current(ready_.front())) {
      held_.reserve(ready_.size());
      for (ReadyEvent& ready : ready_) held_.push_back(std::move(ready.event.record));
      ready_.clear();
      return Step::Paused;
    }
    LiveEvent event = std::move(ready_.front().event);
    ready_.pop_front();
    return give(to, std::move(event));
  }
  if (is_too_slow()) {
    room_.cut_for_slowness.fetch_add(1, std::memory_order_relaxed);
    return Step::TooSlow;
  }
  ReadBudget budget = read_budget(asker_, room_.options.read_limits);
  std::shared_ptr<const Record> record;
  STELE_ASSIGN(const EventFollower::Step step, follower_->next(record, &budget));
  switch (step) {
    case EventFollower::Step::Event: {
      const ShownVersions versions = shown_versions(notes(), version_);
      if (must_wait(*record, versions)) {
        held_.push_back(std::move(record));
        return Step::Paused;  // the next call may wait
      }
      const Record* const one = record.get();
      std::vector<Upcast> upcasts = upcast_events({&one, 1}, versions);
      LiveEvent event{std::move(record)};
      if (!upcasts.empty()) event.upcast = std::move(upcasts[0]);
      return give(to, std::move(event));
    }
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
  if (!held_.empty() || !ready_.empty()) return std::nullopt;
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
