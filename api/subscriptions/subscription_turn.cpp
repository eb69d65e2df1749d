// What a subscription does in its turns, but for attempts (subscription_attempts.cpp).

#include <algorithm>
#include <new>
#include <utility>

#include "api/endpoint/own_events.h"
#include "api/subscriptions/subscription.h"
#include "api/subscriptions/subscription_log.h"
#include "engine/base/check.h"

namespace stele::api {

namespace {

constexpr std::size_t kReadsATurn = 256;  ///< events of the front
constexpr std::size_t kLooksATurn = 32;
constexpr std::chrono::seconds kCheckpointEvery{10};
/// The log is told of changes of state that come by themselves, of dead letters and of the place at most so often.
constexpr std::chrono::minutes kTellStateEvery{1};
constexpr std::chrono::seconds kTellLettersEvery{1};
constexpr std::chrono::hours kTellPlaceEvery{1};
constexpr std::size_t kLettersAnEvent = 1'000;
constexpr std::chrono::hours kFailingMax{5 * 24};
/// Failures are one that lasts if they are not further apart: so far as attempts usually may be, and some.
constexpr std::chrono::milliseconds kDelayUsual{86'400'000}, kSomeDelay{3'600'000};
constexpr std::size_t kAnswerBytesKept = 1024;
constexpr std::size_t kEnvelopeBytes = 300;  ///< of an event's JSON beside its data, about

std::int64_t in_micros(std::chrono::microseconds time) { return time.count(); }

}  // namespace

Subscription::Next Subscription::turn(Lane lane) {
  if (lane == Lane::Log) {
    tell_log();
    return Next::Again;
  }
  Next next = Next::Rest;
  const auto needs_slow = [&](Next found) {
    next = std::max(next, found);
    return found == Next::Slow;
  };
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return Next::Rest;
    take_mail();
    settle_restart();
  }
  Calls calls;
  // What is decided already comes first, so that reading of old events holds up none that is to be sent.
  const auto make_calls = [&] {
    for (const auto& call : std::exchange(calls, {})) call();
  };
  try {
    (void)(needs_slow(send(lane)) || needs_slow(read(lane)) || needs_slow(look(lane)) || needs_slow(take(calls)) ||
           needs_slow(send(lane)));
  } catch (...) {
    make_calls();
    throw;
  }
  make_calls();
  const std::lock_guard lock(mutex_);
  const Timestamp time = now();
  if (!ended_) schedule(time);
  return has_news_for_log(time) ? Next::Log : next;
}

void Subscription::take_mail() {
  Mail mail;
  bool journal_failed = false;
  {
    const std::lock_guard lock(mail_mutex_);
    mail.swap(answers_);
    durable_seen_ = durable_ticket_;
    journal_failed = std::exchange(journal_failed_, false);
  }
  if (journal_failed) {
    const Timestamp time = now();
    journal_again_ = after(time, kTryAgain);
    last_error_ = {"state-unwritable", 0, "How far deliveries have come cannot be written; none is begun until it can.",
                   time};
  }
  for (auto& [id, outcome] : mail) apply(id, std::move(outcome));
}

void Subscription::apply(std::uint64_t id, AttemptOutcome outcome) {
  const auto found = under_way_.find(id);
  if (found == under_way_.end()) return;
  UnderWay under_way = std::move(found->second);
  under_way_.erase(found);
  const Timestamp time = now();
  const bool counts = under_way.epoch == epoch_;
  if (outcome.abandoned) {
    // As many as are under way could be taken, perhaps; if none is, nothing tells when one can.
    attempts_max_ = std::max<std::size_t>(under_way_.size(), 1);
    if (under_way_.empty()) attempt_again_ = std::max(attempt_again_, after(time, kTryAgain));
    if (counts) queue_->abandoned(under_way.attempt.number);
    return;
  }
  const std::size_t events = under_way.attempt.positions.size();
  TracedAttempt traced{.batch_id = std::move(under_way.batch_id),
                       .positions = std::move(under_way.attempt.positions),
                       .attempt = under_way.attempt.attempts + 1,
                       .time = under_way.began,
                       .delivered = outcome.delivered,
                       .refused = outcome.refused,
                       .error = outcome.delivered ? std::string() : outcome.failure.error,
                       .status = outcome.status,
                       .detail = under_way.answer_unwanted ? std::string() : std::move(outcome.detail),
                       .answer = under_way.answer_unwanted ? std::string() : outcome.answer.substr(0, kAnswerBytesKept),
                       .duration = outcome.duration};
  if (!outcome.delivered || !outcome.refused.empty()) {
    ++failures_;
    last_error_ = {outcome.delivered ? "refused" : outcome.failure.error, outcome.status, traced.detail, time,
                   traced.positions};
  }
  trace_.add(std::move(traced));
  if (outcome.is_outage && !outcome.delivered) {
    breaker_.outage(time);
    // It is asked for by the receiver as a whole.
    if (outcome.failure.retry_after) {
      attempt_again_ = after(time, std::min(*outcome.failure.retry_after, definition_.delay_max));
    }
  } else {
    breaker_.in_order();
  }
  if (!outcome.delivered) {
    // Failures that lie far apart are no failure that lasts.
    const std::chrono::milliseconds apart = std::max(kDelayUsual, definition_.delay_max) + kSomeDelay;
    const bool lasts = failing_since_ && last_failure_ && time.micros - last_failure_->micros <= in_micros(apart);
    if (!lasts) failing_since_ = time;
    last_failure_ = time;
    has_failed_too_long_ = time.micros - failing_since_->micros >= in_micros(kFailingMax);
  } else if (outcome.refused.size() < events) {
    failing_since_.reset();
    has_failed_too_long_ = false;
    if (attempts_max_ < kBatchesMax) ++attempts_max_;
    delivered_ += events - outcome.refused.size();
  }
  if (!counts) return;
  if (outcome.delivered) {
    queue_->delivered(under_way.attempt.number, outcome.refused, time);
    place_untold_ = true;
  } else {
    queue_->failed(under_way.attempt.number, outcome.failure, time);
  }
}

bool Subscription::may_restart() const {
  return restart_due_ && under_way_.empty() && (restart_from_journal_ || leases_.events() == 0);
}

void Subscription::settle_restart() {
  if (!may_restart()) return;
  if (restart_from_journal_) return restart(shared_.journal.state(key_));
  shared_.journal.append(key_, take_steps());
  restart(queue_->state());
}

// The front.

Subscription::Next Subscription::read(Lane lane) {
  std::size_t room = 0;
  std::uint64_t epoch = 0;
  Position from;
  SubscriptionDefinition definition;
  std::unique_ptr<EventFollower> old;
  {
    const std::lock_guard lock(mutex_);
    epoch = epoch_;
    if (follower_due_ || aliases_followed_ != alias_changes()) {
      old = std::move(follower_);
      follower_due_ = false;
    }
    if (!delivers() || read_again_ > now()) return Next::Rest;
    room = std::min(queue_->room(), kReadsATurn);
    had_no_room_ = room == 0;
    if (had_no_room_) return Next::Rest;
    from = queue_->read_end();
    if (!follower_) definition = definition_;
  }
  old.reset();
  if (!follower_) {
    std::optional<Position> behind;
    if (from.value() > 0) behind = Position{from.value() - 1};
    // It is gone before this is.
    aliases_followed_ = alias_changes();
    follower_ = shared_.hub.follow(query_of_now(definition, behind), [this] { wake(); });
  }
  if (lane == Lane::Quick && follower_->may_block()) return Next::Slow;

  struct Found {
    Position position;
    Timestamp time;
    std::string aggregate_id;
    std::size_t bytes;
  };
  std::vector<Found> found;
  bool unreadable = false;
  ReadBudget budget(shared_.read_limits);
  auto step = EventFollower::Step::Event;
  while (found.size() < room && step == EventFollower::Step::Event) {
    std::shared_ptr<const Record> record;
    const auto next = follower_->next(record, &budget);
    if (!next) {
      unreadable = true;
      break;
    }
    step = *next;
    if (step != EventFollower::Step::Event) break;
    const RecordHeader& header = record->header();
    found.push_back({header.position, header.time, std::string(header.aggregate_id),
                     header.data_length.value_or(0) + header.metadata_length.value_or(0) + header.aggregate_id.size() +
                         kEnvelopeBytes});
  }
  // Where it has read everything, the watermark moves on without matches.
  std::optional<std::pair<Position, Timestamp>> examined;
  if (!unreadable && step != EventFollower::Step::Event) {
    const Position end = follower_->examined_end();
    Record newest;
    const Position known = found.empty() ? from : found.back().position.next();
    if (end > known && shared_.store.view()->read(Position{end.value() - 1}, newest)) {
      examined.emplace(end, newest.header().time);
    }
  }

  const std::lock_guard lock(mutex_);
  if (unreadable) note_unreadable_log();
  if (epoch != epoch_) return Next::Again;  // follower_due_ says that it begins anew
  // What it has passed over may be meant since, and was perhaps stored after whoever set the alias was told so.
  if (aliases_followed_ != alias_changes()) return Next::Again;
  for (const Found& event : found) queue_->offer(event.position, event.time, event.aggregate_id, event.bytes);
  if (examined) queue_->examined(examined->first, examined->second);
  at_head_ = step == EventFollower::Step::AtHead;
  if (step == EventFollower::Step::Paused) return Next::Slow;
  return found.size() == room && queue_->room() > 0 ? Next::Again : Next::Rest;
}

void Subscription::note_unreadable_log() {
  const Timestamp time = now();
  read_again_ = after(time, kTryAgain);
  last_error_ = {"log-unreadable", 0, "Events cannot be read from the log.", time};
}

// Held aggregates.

Subscription::Next Subscription::look(Lane lane) {
  for (std::size_t looks = 0; looks < kLooksATurn; ++looks) {
    std::optional<DeliveryQueue::Look> look;
    std::uint64_t epoch = 0;
    EventQuery query;
    {
      const std::lock_guard lock(mutex_);
      if (!delivers() || read_again_ > now()) return Next::Rest;
      epoch = epoch_;
      look = queue_->next_look(now());
      if (!look) return Next::Rest;
      std::optional<Position> behind;
      if (look->from.value() > 0) behind = Position{look->from.value() - 1};
      query = query_of_now(definition_, behind);
    }
    if (lane == Lane::Quick) return Next::Slow;
    // After a change it may not be meant any more.
    const auto& ids = query.aggregate_ids;
    const bool is_meant = ids.empty() || std::find(ids.begin(), ids.end(), look->aggregate_id) != ids.end();
    query.aggregate_ids.clear();
    query.aggregate_id = look->aggregate_id;
    const auto view = shared_.store.view();
    Record record;
    Result<bool> found = false;
    if (is_meant) {
      const auto events = view->query(query);
      found = events ? (*events)->next(record) : Result<bool>(events.error());
    }
    const std::lock_guard lock(mutex_);
    if (!found) {
      note_unreadable_log();
      return Next::Rest;
    }
    if (epoch != epoch_) return Next::Again;
    queue_->looked(*look, view->end(), *found ? std::optional(record.header().position) : std::nullopt);
  }
  return Next::Slow;
}

// Decisions.

Subscription::Next Subscription::take(Calls& calls) {
  const std::lock_guard lock(mutex_);
  if (ended_) return Next::Rest;
  const Timestamp time = now();
  expire_leases(time);
  while (!redrives_.empty() && redrive_rate_.available(time) > 0) {
    if (queue_->redrive(redrives_.front())) redrive_rate_.spend(1);
    redrives_.pop_front();
  }
  const std::size_t before = pending_.size();
  take_attempts(time, calls);
  keep_steps(time, pending_.size() > before);
  stand_as_queue(time);
  tell_breaker(time, calls);
  collect_acked(time, calls);
  // The last lease may be over just now.
  if (may_restart()) return Next::Again;
  // What has just failed may be due already, and there may be room again for what was not read.
  const bool is_due = queue_->next_look(time).has_value() || (had_no_room_ && queue_->room() > 0);
  return delivers() && is_due && read_again_ <= time ? Next::Again : Next::Rest;
}

void Subscription::take_attempts(Timestamp time, Calls& calls) {
  const bool may = delivers() && attempt_again_ <= time;
  if (definition_.kind != DeliveryKind::Pull) {
    while (may && under_way_.size() + pending_.size() < attempts_max_ &&
           breaker_.admits(time, under_way_.size() + pending_.size())) {
      const std::uint64_t rate = rate_.available(time);
      if (rate == 0) return;
      Pending& pending = pending_.emplace_back();
      auto attempt = queue_->take(time, std::min<std::uint64_t>(rate, definition_.batch_events));
      if (!attempt) return pending_.pop_back();
      rate_.spend(attempt->positions.size());
      pending.attempt = *std::move(attempt);
    }
    return;
  }
  const auto answer = [&](Waiter& waiter, std::variant<PulledBatch, Problem> with) {
    calls.push_back([pulled = std::move(waiter.pulled), with = std::move(with)]() mutable { pulled(std::move(with)); });
  };
  std::deque<Waiter> still;
  for (Waiter& waiter : waiters_) {
    if (waiter.gone()) {
      answer(waiter, PulledBatch{{}, {}, queue_->state().end});
      continue;
    }
    Pending& pending = pending_.emplace_back();
    auto attempt = may ? queue_->take(time, waiter.limit) : std::nullopt;
    if (attempt) {
      pending.attempt = *std::move(attempt);
      pending.waiter = std::move(waiter);
      continue;
    }
    pending_.pop_back();
    if (waiter.deadline <= time || !runs()) {
      answer(waiter, PulledBatch{{}, {}, queue_->state().end});
    } else {
      still.push_back(std::move(waiter));
    }
  }
  waiters_ = std::move(still);
}

std::vector<DeliveryStep> Subscription::take_steps(bool checkpoint) {
  std::vector<DeliveryStep> steps = queue_->take_steps(checkpoint);
  for (const DeliveryStep& step : steps) {
    if (const auto* added = std::get_if<DeadLetterAdded>(&step)) {
      letters_untold_.insert_or_assign(added->position, added->letter);
      redrives_wanted_.erase(added->position);
    } else if (const auto* removed = std::get_if<DeadLetterRemoved>(&step)) {
      letters_untold_.insert_or_assign(removed->position, std::nullopt);
      redrives_wanted_.erase(removed->position);
    }
  }
  return steps;
}

/// Has the journal keep what has changed. What was taken is attempted once that is durable, even if nothing has
/// changed: earlier steps may not be durable yet.
void Subscription::keep_steps(Timestamp time, bool any_new) {
  if (ended_ || restart_from_journal_) return;
  const bool checkpoint = time >= checkpoint_at_ || !ack_waiters_.empty();
  if (time >= checkpoint_at_) checkpoint_at_ = after(time, kCheckpointEvery);
  const std::vector<DeliveryStep> steps = take_steps(checkpoint);
  const bool again = journal_again_ && *journal_again_ <= time && !pending_.empty();
  if (steps.empty() && !any_new && !again) return;
  DeliveryJournal::Durable durable;
  if (any_new || again) {
    const std::uint64_t ticket = ++last_ticket_;
    for (Pending& pending : pending_) {
      if (pending.ticket == 0 || again) pending.ticket = ticket;
    }
    journal_again_.reset();
    durable = [weak = weak_from_this(), ticket](const Status& status) {
      if (const auto self = weak.lock()) self->durable(ticket, static_cast<bool>(status));
    };
  }
  shared_.journal.append(key_, steps, std::move(durable));
}

/// What the queue cannot do decides the state.
void Subscription::stand_as_queue(Timestamp time) {
  const auto become = [&](SubscriptionState state, std::string reason) {
    standing_ = {state, std::move(reason), time};
    standing_untold_ = true;
  };
  if (!runs()) return;
  if (queue_->stopped()) {
    const DeliveryFailure& why = *queue_->why_stopped();
    return become(SubscriptionState::Stopped,
                  why.error + (why.status == 0 ? std::string() : " " + std::to_string(why.status)));
  }
  if (has_failed_too_long_) {
    return become(SubscriptionState::Disabled, "nothing but failure for 5 days");
  }
  const bool stalled = queue_->stalled();
  if (stalled && standing_.state == SubscriptionState::Active) {
    become(SubscriptionState::Stalled,
           "as many aggregates are held back, dead letters kept, or events delivered before earlier ones as may be");
  } else if (!stalled && standing_.state == SubscriptionState::Stalled) {
    become(SubscriptionState::Active, "");
  }
}

void Subscription::collect_acked(Timestamp time, Calls& calls) {
  const Position end = queue_->state().end;
  for (auto at = ack_waiters_.begin(); at != ack_waiters_.end();) {
    if (end <= at->position && at->deadline > time) {
      ++at;
      continue;
    }
    calls.push_back([waited = std::move(at->waited), status = status_locked()] { waited(status); });
    at = ack_waiters_.erase(at);
  }
}

// The log.

Subscription::Letters::const_iterator Subscription::add_letters(Letters::const_iterator from,
                                                                SubscriptionEventData& to) const {
  for (std::size_t i = 0; i < kLettersAnEvent && from != letters_untold_.end(); ++i, ++from) {
    if (from->second) {
      to.added.push_back({from->first, *from->second});
    } else {
      to.removed.push_back(from->first);
    }
  }
  return from;
}

bool Subscription::has_news_for_log(Timestamp time) const {
  if (ended_ || log_again_ > time) return false;
  return (standing_untold_ && after(standing_told_, kTellStateEvery) <= time) ||
         (!letters_untold_.empty() && after(letters_told_, kTellLettersEvery) <= time) ||
         ((place_untold_ || failing_since_) && after(place_told_, kTellPlaceEvery) <= time);
}

void Subscription::tell_log() {
  const std::lock_guard changing(shared_.changing);
  std::string_view type;
  SubscriptionEventData data;
  SubscriptionDefinition definition;
  Timestamp time;
  {
    const std::lock_guard lock(mutex_);
    time = now();
    if (!has_news_for_log(time)) return;
    auto untold = letters_untold_.cbegin();
    if (standing_untold_ && after(standing_told_, kTellStateEvery) <= time) {
      type = subscription_event::kStateChanged;
      data.standing = standing_;
    } else if (!letters_untold_.empty() && after(letters_told_, kTellLettersEvery) <= time) {
      type = subscription_event::kDeadLetters;
      untold = add_letters(untold, data);
    } else {
      type = subscription_event::kCheckpoint;
    }
    data.place = place_locked(untold);
    place_untold_ = false;  // what changes from here on is told next time
    definition = definition_;
  }
  const auto told = append_subscription_event(shared_.store, definition, type, data, Caller(), {}, shared_.clock);
  const std::lock_guard lock(mutex_);
  if (!std::holds_alternative<OwnEventPlace>(told)) {
    place_untold_ = true;
    log_again_ = after(now(), std::chrono::seconds(5));
    return;
  }
  place_told_ = time;
  if (type == subscription_event::kStateChanged) {
    // Meanwhile it may have come to another one by itself.
    standing_untold_ = standing_ != *data.standing;
    standing_told_ = time;
  } else if (type == subscription_event::kDeadLetters) {
    letters_told_ = time;
    // What has changed meanwhile is told next time.
    const auto was_told = [&](Position position, const std::optional<DeadLetter>& letter) {
      const auto at = letters_untold_.find(position);
      if (at != letters_untold_.end() && at->second == letter) letters_untold_.erase(at);
    };
    for (const SubscriptionEventData::Added& added : data.added) was_told(added.position, added.letter);
    for (const Position position : data.removed) was_told(position, std::nullopt);
  }
}

void Subscription::tell_breaker(Timestamp time, Calls& calls) {
  if (!shared_.breaker_told || breaker_.is_open() == breaker_told_open_) return;
  if (breaker_told_ && after(*breaker_told_, kTellStateEvery) > time) return;
  calls.push_back(
      [&told = shared_.breaker_told, id = definition_.id, is_open = breaker_.is_open()] { told(id, is_open); });
  breaker_told_open_ = breaker_.is_open();
  breaker_told_ = time;
}

void Subscription::schedule(Timestamp time) {
  std::optional<Timestamp> due;
  const auto consider = [&](Timestamp at) {
    if (at > time && (!due || at < *due)) due = at;
  };
  const auto consider_optional = [&](const std::optional<Timestamp>& at) {
    if (at) consider(*at);
  };
  if (delivers()) {
    consider_optional(queue_->next_due(time));
    consider(checkpoint_at_);
    consider(read_again_);
    consider(attempt_again_);
    if (breaker_.is_open()) consider(breaker_.next());
    consider(rate_.next(time));
  }
  if (!redrives_.empty()) consider(redrive_rate_.next(time));
  if (restart_due_) consider(attempt_again_);
  if (!pending_.empty()) consider_optional(journal_again_);
  consider_optional(leases_.next_expiry());
  for (const Waiter& waiter : waiters_) consider(waiter.deadline);
  for (const AckWaiter& waiter : ack_waiters_) consider(waiter.deadline);
  if (breaker_told_ && breaker_.is_open() != breaker_told_open_) consider(after(*breaker_told_, kTellStateEvery));
  consider(log_again_);
  if (standing_untold_) consider(after(standing_told_, kTellStateEvery));
  if (!letters_untold_.empty()) consider(after(letters_told_, kTellLettersEvery));
  if (place_untold_ || failing_since_) consider(after(place_told_, kTellPlaceEvery));
  if (!due || (timer_ && *timer_ <= *due)) return;
  const auto delay = std::chrono::microseconds(due->micros - time.micros);
  shared_.scheduler.after(std::chrono::ceil<std::chrono::milliseconds>(delay), [weak = weak_from_this(), at = *due] {
    if (const auto self = weak.lock()) self->ring(at);
  });
  timer_ = due;
}

}  // namespace stele::api
