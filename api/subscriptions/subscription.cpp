#include "api/subscriptions/subscription.h"

#include <algorithm>
#include <new>
#include <random>
#include <utility>

#include "api/http/problem.h"
#include "api/records/event_notes.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"
#include "engine/index/event_filter.h"

namespace stele::api {

namespace {

constexpr std::size_t kPullWaitersMax = 256;
constexpr std::size_t kAckWaitersMax = 256;

Problem not_active(SubscriptionState state) {
  return Problem("subscription-not-active", "The subscription is " + std::string(name_of(state)) + ".")
      .member("state", '"' + std::string(name_of(state)) + '"');
}

Timestamp plus(Timestamp time, std::chrono::milliseconds delay) {
  return {time.micros + std::chrono::microseconds(delay).count()};
}

}  // namespace

Subscription::Subscription(const SubscriptionShared& shared, Start start)
    : life_(shared.lives),
      shared_(shared),
      key_(start.key),
      definition_(std::move(start.definition)),
      standing_(std::move(start.standing)),
      sink_(std::move(start.sink)),
      begun_(start.begun),
      rate_(definition_.per_second_max),
      failing_since_(start.failing_since) {
  restart(std::move(start.state));
  place_told_ = letters_told_ = now();
  if (failing_since_) last_failure_ = now();
  if (start.letters_untold) {
    const auto& letters = queue_->state().dead_letters;
    letters_untold_.insert(letters.begin(), letters.end());
  }
}

Subscription::~Subscription() { end(End::Shutdown); }

// Turns.

void Subscription::wake() noexcept {
  {
    const std::lock_guard lock(turn_mutex_);
    if (turn_ == Turn::Running) turn_ = Turn::RunningAgain;
    if (turn_ != Turn::Resting) return;
    turn_ = Turn::Waiting;
  }
  post(Lane::Quick);
}

void Subscription::post(Lane lane) noexcept {
  try {
    // What has been posted holds nothing alive.
    shared_.threads.post(lane, [weak = weak_from_this(), lane] {
      if (const auto self = weak.lock()) self->run(lane);
    });
  } catch (...) {
    // The next that happens wakes it.
    const std::lock_guard lock(turn_mutex_);
    turn_ = Turn::Resting;
  }
}

void Subscription::run(Lane lane) noexcept {
  {
    const std::lock_guard lock(turn_mutex_);
    turn_ = Turn::Running;
  }
  Next next = Next::Rest;
  try {
    next = turn(lane);
  } catch (...) {
    // For want of memory: what the queue has decided meanwhile may not be journaled, so that it goes on as after a
    // crash.
    const std::lock_guard lock(mutex_);
    restart_due_ = restart_from_journal_ = true;
    const Timestamp time = now();
    attempt_again_ = read_again_ = plus(time, std::chrono::seconds(1));
    try {
      schedule(time);
    } catch (...) {
      next = Next::Slow;
    }
  }
  {
    const std::lock_guard lock(turn_mutex_);
    if (next == Next::Rest && turn_ == Turn::RunningAgain) next = Next::Again;
    turn_ = next == Next::Rest ? Turn::Resting : Turn::Waiting;
  }
  if (next != Next::Rest) post(next == Next::Log ? Lane::Log : next == Next::Slow ? Lane::Slow : Lane::Quick);
}

void Subscription::durable(std::uint64_t ticket, bool good) noexcept {
  {
    const std::lock_guard lock(mail_mutex_);
    if (good) {
      durable_ticket_ = std::max(durable_ticket_, ticket);
    } else {
      journal_failed_ = true;
    }
  }
  wake();
}

void Subscription::answered(Mail& mail) noexcept {
  {
    const std::lock_guard lock(mail_mutex_);
    answers_.splice(answers_.end(), mail);
  }
  wake();
}

/// A timer has rung.
void Subscription::ring(Timestamp due) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (timer_ == due) timer_.reset();
  }
  wake();
}

// Changes.

void Subscription::end(End why) {
  Calls calls;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    take_mail();
    checkpoint_at_ = {};
    keep_steps(now(), false);
    ended_ = true;
    ++epoch_;
    leases_.clear();
    const auto answer = [&](Waiter& waiter) {
      std::variant<PulledBatch, Problem> with = PulledBatch{{}, {}, queue_->state().end};
      if (why == End::Deleted) with = no_subscription();
      calls.push_back([pulled = std::move(waiter.pulled), with = std::move(with)] { pulled(with); });
    };
    for (Waiter& waiter : waiters_) answer(waiter);
    for (Pending& pending : pending_) {
      if (pending.waiter) answer(*pending.waiter);
    }
    const SubscriptionStatus status = status_locked();
    for (AckWaiter& waiter : ack_waiters_) {
      calls.push_back([waited = std::move(waiter.waited), status] { waited(status); });
    }
    waiters_.clear();
    pending_.clear();
    ack_waiters_.clear();
  }
  for (const auto& call : calls) call();
}

void Subscription::change(SubscriptionDefinition definition, std::shared_ptr<DeliverySink> sink) {
  {
    const std::lock_guard lock(mutex_);
    if (definition.per_second_max != definition_.per_second_max) rate_ = DeliveryRate(definition.per_second_max);
    // Another receiver is another chance.
    if (definition.url != definition_.url) {
      breaker_ = CircuitBreaker();
      attempt_again_ = {};
    }
    // Another sink is what the next attempt goes to.
    if (definition != definition_) restart_due_ = true;
    definition_ = std::move(definition);
    sink_ = std::move(sink);
  }
  wake();
}

void Subscription::stand(SubscriptionStanding standing) {
  {
    const std::lock_guard lock(mutex_);
    if (standing.state == SubscriptionState::Active) {
      queue_->resume();
      breaker_ = CircuitBreaker();
      attempt_again_ = {};
      failing_since_.reset();
      has_failed_too_long_ = false;
    }
    standing_ = std::move(standing);
    standing_untold_ = false;
  }
  wake();
}

void Subscription::seek(std::uint32_t generation, Position end) {
  {
    const std::lock_guard lock(mutex_);
    if (!restart_from_journal_) shared_.journal.append(key_, take_steps());
    DeliveryState state = shared_.journal.state(key_);
    const DeliveryBegun begun{generation, end, state.last_batch};
    STELE_CHECK(apply_step(state, begun));
    shared_.journal.append(key_, {begun});
    begun_ = end;
    restart(std::move(state));
  }
  wake();
}

void Subscription::restart(DeliveryState state) {
  ++epoch_;
  queue_ = std::make_unique<DeliveryQueue>(settings_of(definition_, shared_.limits), std::move(state),
                                           std::random_device{}());
  follower_due_ = true;
  at_head_ = false;
  restart_due_ = restart_from_journal_ = false;
  // Whoever waits for events goes on waiting.
  for (Pending& pending : pending_) {
    if (pending.waiter) waiters_.push_front(*std::move(pending.waiter));
  }
  pending_.clear();
  leases_.clear();
  redrives_.assign(redrives_wanted_.begin(), redrives_wanted_.end());
}

// Looks.

EventQuery Subscription::query_of_now(const SubscriptionDefinition& definition, std::optional<Position> after) const {
  EventQuery query = query_of(definition, after);
  if (shared_.notes != nullptr) shared_.notes->aliases.widen(query.event_types);
  return query;
}

std::uint64_t Subscription::alias_changes() const {
  return shared_.notes == nullptr ? 0 : shared_.notes->aliases.changes();
}

bool Subscription::runs() const {
  return !ended_ && (standing_.state == SubscriptionState::Active || standing_.state == SubscriptionState::Stalled);
}

SubscriptionDefinition Subscription::definition() const {
  const std::lock_guard lock(mutex_);
  return definition_;
}

SubscriptionStanding Subscription::standing() const {
  const std::lock_guard lock(mutex_);
  return standing_;
}

SubscriptionPlace Subscription::place() const {
  const std::lock_guard lock(mutex_);
  return place_locked(letters_untold_.begin());
}

Position Subscription::done_before() const {
  const std::lock_guard lock(mutex_);
  return place_locked(letters_untold_.end()).end;
}

SubscriptionPlace Subscription::place_locked(Letters::const_iterator untold) const {
  const DeliveryState& state = queue_->state();
  SubscriptionPlace place{state.generation, state.end, state.end_time};
  const auto not_beyond = [&](Position end) {
    if (end >= place.end) return;
    place.end = end;
    place.end_time = {};
  };
  for (const auto& [aggregate, held] : state.held) not_beyond(held.from);
  untold = std::find_if(untold, letters_untold_.end(), [](const auto& each) { return each.second.has_value(); });
  if (untold != letters_untold_.end()) not_beyond(untold->first);
  place.failing_since = failing_since_;
  return place;
}

std::optional<SubscriptionStanding> Subscription::untold_standing() const {
  const std::lock_guard lock(mutex_);
  return standing_untold_ ? std::optional(standing_) : std::nullopt;
}

std::vector<SubscriptionEventData> Subscription::untold_letters() const {
  const std::lock_guard lock(mutex_);
  std::vector<SubscriptionEventData> parts;
  for (auto at = letters_untold_.begin(); at != letters_untold_.end();) {
    SubscriptionEventData& part = parts.emplace_back();
    at = add_letters(at, part);
    part.place = place_locked(at);
  }
  return parts;
}

SubscriptionStatus Subscription::status() const {
  const std::lock_guard lock(mutex_);
  return status_locked();
}

SubscriptionStatus Subscription::status_locked() const {
  const DeliveryState& state = queue_->state();
  SubscriptionStatus status;
  status.definition = definition_;
  status.standing = standing_;
  status.generation = state.generation;
  status.end = state.end;
  status.end_time = state.end_time;
  status.in_flight = leases_.events();
  for (const auto& [id, under_way] : under_way_) status.in_flight += under_way.attempt.positions.size();
  status.held_back = state.held.size();
  status.dead_letters = state.dead_letters.size();
  status.delivered = delivered_;
  status.failures = failures_;
  status.last_error = last_error_;
  status.breaker_open = breaker_.is_open();
  const bool idle = at_head_ && queue_->waiting() == 0 && state.batches.empty() && state.held.empty();
  const Position head = shared_.store.durable_end();
  if (!idle && head > state.end) {
    status.lag_events = head.since(state.end);
    const Timestamp since = state.end_time == Timestamp{} ? standing_.since : state.end_time;
    status.lag = std::chrono::microseconds(std::max<std::int64_t>(0, now().micros - since.micros));
  }
  return status;
}

std::vector<ListedDeadLetter> Subscription::dead_letters(Position from, std::size_t limit) const {
  std::vector<ListedDeadLetter> listed;
  const std::lock_guard lock(mutex_);
  const auto& letters = queue_->state().dead_letters;
  for (auto at = letters.lower_bound(from); at != letters.end() && listed.size() < limit; ++at) {
    listed.push_back({at->first, at->second});
  }
  return listed;
}

std::vector<ListedHeld> Subscription::held(std::string_view after, std::size_t limit) const {
  std::vector<ListedHeld> listed;
  const std::lock_guard lock(mutex_);
  const auto& held = queue_->state().held;
  for (auto at = held.upper_bound(after); at != held.end() && listed.size() < limit; ++at) {
    listed.push_back({at->first, at->second});
  }
  return listed;
}

std::vector<TracedAttempt> Subscription::attempts() const {
  const std::lock_guard lock(mutex_);
  return {trace_.attempts().begin(), trace_.attempts().end()};
}

void Subscription::forget_answers(std::span<const Position> events) {
  const std::lock_guard lock(mutex_);
  trace_.forget_answers(events);
  for (auto& [id, under_way] : under_way_) {
    if (have_common(under_way.attempt.positions, events)) under_way.answer_unwanted = true;
  }
  // Its attempt may have left the trace before.
  if (last_error_ && have_common(last_error_->positions, events)) last_error_->detail = {};
}

bool Subscription::may_concern(std::string_view aggregate_id, const std::optional<std::string>& aggregate_type) const {
  const std::lock_guard lock(mutex_);
  const auto has = [](const std::vector<std::string>& list, std::string_view text) {
    return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
  };
  const std::string_view type = aggregate_type ? std::string_view(*aggregate_type) : std::string_view();
  return has(definition_.aggregate_ids, aggregate_id) && has(definition_.aggregate_types, type) &&
         has(definition_.owner.aggregate_types, type);
}

SubscriptionRoom::Fate Subscription::fate_of(const Record& record) const {
  const Position position = record.header().position;
  SubscriptionRoom::Fate fate;
  const std::lock_guard lock(mutex_);
  for (const TracedAttempt& attempt : trace_.attempts()) {
    if (std::binary_search(attempt.positions.begin(), attempt.positions.end(), position)) {
      fate.attempts.push_back(attempt);
    }
  }
  const DeliveryState& state = queue_->state();
  const auto decide = [&] {
    if (state.dead_letters.contains(position)) return DeliveryFate::DeadLetter;
    for (const auto& [number, batch] : state.batches) {
      if (!std::binary_search(batch.positions.begin(), batch.positions.end(), position)) continue;
      const bool leased = leases_.has(number);
      const bool attempted = std::any_of(under_way_.begin(), under_way_.end(), [&, n = number](const auto& way) {
        return way.second.epoch == epoch_ && way.second.attempt.number == n;
      });
      if (leased || attempted) return DeliveryFate::InFlight;
      return batch.attempts > 0 ? DeliveryFate::Retrying : DeliveryFate::Waiting;
    }
    if (!matches(query_of_now(definition_, std::nullopt), record.header())) return DeliveryFate::NotMatching;
    if (position < begun_) return DeliveryFate::BeforeStart;
    const auto held = state.held.find(record.header().aggregate_id);
    if (held != state.held.end() && position >= held->second.from) {
      if (held->second.parked) return DeliveryFate::Parked;
      return position == held->second.from && held->second.attempts > 0 ? DeliveryFate::Retrying
                                                                        : DeliveryFate::HeldBack;
    }
    return position < state.end || state.settled.contains(position) ? DeliveryFate::Delivered : DeliveryFate::Waiting;
  };
  fate.fate = decide();
  return fate;
}

// Dead letters.

void Subscription::redrive(const std::vector<Position>& positions, std::uint32_t per_second) {
  {
    const std::lock_guard lock(mutex_);
    // What has just failed once more is not under way any more.
    keep_steps(now(), false);
    for (const Position position : positions) {
      if (redrives_wanted_.insert(position).second) redrives_.push_back(position);
    }
    redrive_rate_ = DeliveryRate(per_second);
  }
  wake();
}

Subscription::Dropped Subscription::drop(Position position) {
  {
    const std::lock_guard lock(mutex_);
    if (!queue_->state().dead_letters.contains(position)) return Dropped::None;
    if (restart_from_journal_ || !queue_->drop(position)) return Dropped::Busy;
    keep_steps(now(), false);
  }
  wake();
  return Dropped::Yes;
}

// Waiting.

bool Subscription::wait_acked(Position position, std::chrono::milliseconds at_most, SubscriptionRoom::Waited waited) {
  SubscriptionStatus done;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || ack_waiters_.size() >= kAckWaitersMax) return false;
    if (queue_->state().end <= position && at_most.count() > 0) {
      ack_waiters_.push_back({position, plus(now(), at_most), std::move(waited)});
      waited = {};
    } else {
      done = status_locked();
    }
  }
  if (waited) {
    waited(std::move(done));
  } else {
    wake();
  }
  return true;
}

void Subscription::send_test(SubscriptionRoom::Tested tested) {
  std::shared_ptr<DeliverySink> sink;
  std::string id;
  Timestamp time;
  {
    const std::lock_guard lock(mutex_);
    sink = sink_;
    id = definition_.id;
    time = now();
  }
  if (!sink) {
    return tested(
        Problem("unavailable", "The subscription cannot deliver, as its `reason` says; `resume` tries again."));
  }
  RecordHeader header;
  random_bytes(header.event_id.bytes.data(), header.event_id.bytes.size());
  header.event_type = "stele.test";
  header.aggregate_id = "stele.test";
  header.time = time;
  header.sequence = SequenceNumber{1};
  const std::string_view data = R"({"message":"a test delivery"})";
  header.data_length = static_cast<std::uint32_t>(data.size());
  std::string bytes;
  append_record(bytes, header, Seed{}, RecordBody{data, {}, {}});
  auto record = std::make_shared<Record>();
  const auto room = record->prepare(bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  STELE_CHECK(record->decode());
  DeliveryBatchToSend batch{id + "_test_" + to_string(header.event_id), {{std::move(record), false}}};
  sink->attempt(std::move(batch), [tested = std::move(tested)](AttemptOutcome outcome) { tested(std::move(outcome)); });
}

// Pulling.

void Subscription::pull(std::size_t limit, std::chrono::milliseconds wait, std::chrono::milliseconds lease,
                        std::function<bool()> gone, SubscriptionRoom::Pulled pulled) {
  std::optional<Problem> refusal;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) {
      refusal = Problem("unavailable", "The server is shutting down.");
    } else if (standing_.state != SubscriptionState::Active && standing_.state != SubscriptionState::Stalled) {
      refusal = not_active(standing_.state);
    } else if (waiters_.size() >= kPullWaitersMax) {
      refusal = Problem("too-many-waiting", "As many consumers as may do so wait for events of this subscription.")
                    .header("Retry-After", "1");
    } else {
      waiters_.push_back({limit, plus(now(), wait), lease, std::move(gone), std::move(pulled)});
      pulled = {};
    }
  }
  if (refusal) return pulled(*std::move(refusal));
  wake();
}

void Subscription::expire_leases(Timestamp time) {
  const std::size_t expired = leases_.expire(*queue_, time);
  if (expired == 0) return;
  failures_ += expired;
  last_error_ = {"lease-expired", 0, "A consumer did not acknowledge events before its lease ended.", time};
}

PullLeases::Answer Subscription::ack(const std::string& lease, const std::optional<std::vector<Uuid>>& events) {
  PullLeases::Answer answer{};
  {
    const std::lock_guard lock(mutex_);
    const Timestamp time = now();
    expire_leases(time);
    const std::size_t before = leases_.events();
    answer = restart_from_journal_ ? PullLeases::Answer::Expired : leases_.ack(*queue_, lease, events, time);
    delivered_ += before - leases_.events();
    if (answer == PullLeases::Answer::Done) {
      failing_since_.reset();
      place_untold_ = true;
    }
    keep_steps(time, false);
  }
  wake();
  return answer;
}

PullLeases::Answer Subscription::nack(const std::string& lease, const std::optional<std::vector<Uuid>>& events,
                                      std::optional<std::chrono::milliseconds> delay) {
  PullLeases::Answer answer{};
  {
    const std::lock_guard lock(mutex_);
    const Timestamp time = now();
    expire_leases(time);
    answer = restart_from_journal_
                 ? PullLeases::Answer::Expired
                 : leases_.nack(*queue_, lease, events, {.error = "nacked", .retry_after = delay}, time);
    if (answer == PullLeases::Answer::Done) ++failures_;
    keep_steps(time, false);
  }
  wake();
  return answer;
}

PullLeases::Answer Subscription::extend(const std::string& lease, std::chrono::milliseconds for_time) {
  const std::lock_guard lock(mutex_);
  const Timestamp time = now();
  expire_leases(time);
  return leases_.extend(lease, plus(time, for_time));
}

}  // namespace stele::api
