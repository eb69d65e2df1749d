#include "engine/deliveries/delivery_queue.h"

#include <algorithm>

#include "engine/base/check.h"

namespace stele {
namespace {

/// A watermark that moves alone is journaled when it has come so far.
constexpr std::uint64_t kAdvanceEvery = 10'000;

Timestamp plus(Timestamp time, std::chrono::milliseconds delay) {
  return {time.micros + std::chrono::microseconds(delay).count()};
}

}  // namespace

DeliveryQueue::DeliveryQueue(const DeliverySettings& settings, DeliveryState state, std::uint64_t seed)
    : settings_(settings), state_(std::move(state)), random_(seed), read_end_(state_.end), read_time_(state_.end_time) {
  STELE_CHECK(settings_.batch_events_max > 0 && settings_.in_flight_max > 0 && settings_.attempts_max > 0);
  STELE_CHECK(settings_.batch_events_max <= kDeliveryPositionsMax && settings_.settled_max > 0);
  STELE_CHECK(!settings_.one_by_one || settings_.on_dead_letter == OnDeadLetter::Stop);
  for (const auto& [number, batch] : state_.batches) {
    Known& known = known_[number];
    known.place = batch.place;
    if (batch.place == BatchPlace::Front) {
      for (const Position position : batch.positions) front_.emplace(position, number);
      unread_.insert(batch.positions.begin(), batch.positions.end());
      continue;
    }
    known.events[batch.positions.front()].aggregate_id = batch.aggregate_id;
    add_busy(batch.aggregate_id);
    if (batch.place == BatchPlace::Held) held_batches_.insert(batch.aggregate_id);
    due_batches_.emplace(batch.not_before, number);
  }
  for (const auto& [aggregate, held] : state_.held) {
    if (!held.parked && !held_batches_.contains(aggregate)) due_looks_.emplace(held.not_before, aggregate);
  }
}

void DeliveryQueue::step(DeliveryStep step) {
  STELE_CHECK(apply_step(state_, step));
  steps_.push_back(std::move(step));
}

bool DeliveryQueue::is_whole(BatchNumber number) const {
  return known_.at(number).events.size() == state_.batches.at(number).positions.size();
}

void DeliveryQueue::add_busy(const std::string& aggregate_id) { ++busy_[aggregate_id]; }

void DeliveryQueue::remove_busy(const std::string& aggregate_id) {
  const auto busy = busy_.find(aggregate_id);
  STELE_CHECK(busy != busy_.end());
  if (--busy->second == 0) busy_.erase(busy);
}

// The front.

std::size_t DeliveryQueue::room() const {
  // After a start what was read once is read again, or what is to be settled first would not come.
  if (is_full() && front_was_read() && *state_.settled.rbegin() < read_end_) return 0;
  return settings_.waiting_max - std::min(settings_.waiting_max, waiting_.size());
}

/// After a start it is not known which aggregates are busy until the batches of the front were read again.
bool DeliveryQueue::front_was_read() const { return front_.empty() || front_.rbegin()->first < read_end_; }

void DeliveryQueue::offer(Position position, Timestamp time, std::string_view aggregate_id, std::size_t bytes) {
  STELE_CHECK(position >= read_end_);
  read_end_ = position.next();
  read_time_ = time;
  pass_over(position);
  unread_.erase(position);
  if (const auto decided = front_.find(position); decided != front_.end()) {
    const BatchNumber number = decided->second;
    known_.at(number).events.emplace(position, Event{std::string(aggregate_id), time, bytes});
    add_busy(std::string(aggregate_id));
    if (is_whole(number)) due_batches_.emplace(state_.batches.at(number).not_before, number);
    return;
  }
  if (state_.settled.contains(position) || is_held(aggregate_id)) return;
  waiting_.emplace(position, Event{std::string(aggregate_id), time, bytes});
}

void DeliveryQueue::examined(Position end, Timestamp time) {
  if (end > read_end_) {
    read_end_ = end;
    read_time_ = time;
  }
  pass_over(read_end_);
}

/// What was decided once and is not offered any more does not match any more.
void DeliveryQueue::pass_over(Position end) {
  while (!unread_.empty() && *unread_.begin() < end) {
    const Position position = *unread_.begin();
    unread_.erase(unread_.begin());
    const BatchNumber number = front_.at(position);
    settle(number, {position});
    const auto left = state_.batches.find(number);
    if (left != state_.batches.end() && is_whole(number)) due_batches_.emplace(left->second.not_before, number);
  }
}

// Held aggregates.

std::optional<DeliveryQueue::Look> DeliveryQueue::next_look(Timestamp now) const {
  if (due_looks_.empty() || due_looks_.begin()->first > now) return std::nullopt;
  const std::string& aggregate = due_looks_.begin()->second;
  return Look{aggregate, state_.held.find(aggregate)->second.from};
}

void DeliveryQueue::looked(const Look& look, Position until, std::optional<Position> found) {
  const auto held = state_.held.find(look.aggregate_id);
  if (held == state_.held.end() || held->second.from != look.from) return;
  const auto due = due_looks_.find({held->second.not_before, look.aggregate_id});
  if (due == due_looks_.end()) return;
  if (found) {
    STELE_CHECK(*found >= look.from);
    due_looks_.erase(due);
    found_.emplace(look.aggregate_id, *found);
  } else if (until >= read_end_) {
    release(look.aggregate_id);
  }
}

void DeliveryQueue::hold(const std::string& aggregate_id, const HeldAggregate& held) {
  if (const auto before = state_.held.find(aggregate_id); before != state_.held.end()) {
    due_looks_.erase({before->second.not_before, aggregate_id});
  } else {
    // They are behind the front now, where they are looked up.
    std::erase_if(waiting_, [&](const auto& waiting) { return waiting.second.aggregate_id == aggregate_id; });
  }
  found_.erase(aggregate_id);  // it may have an earlier one by now
  step(AggregateHeld{aggregate_id, held});
  if (!held.parked && !held_batches_.contains(aggregate_id)) due_looks_.emplace(held.not_before, aggregate_id);
}

void DeliveryQueue::release(const std::string& aggregate_id) {
  due_looks_.erase({state_.held.find(aggregate_id)->second.not_before, aggregate_id});
  step(AggregateReleased{aggregate_id});
}

bool DeliveryQueue::may_hold(BatchNumber number, const std::string& aggregate_id) {
  const bool may = is_held(aggregate_id) || state_.held.size() < settings_.held_max;
  if (!may) cramped_.insert(number);
  return may;
}

// Attempts.

/// To be begun, or to wait until, at once.
BatchNumber DeliveryQueue::decide(Known known) {
  const BatchNumber number = state_.last_batch.next();
  BatchDecided decided{number, {}, known.place};
  if (known.place != BatchPlace::Front) decided.aggregate_id = known.events.begin()->second.aggregate_id;
  for (const auto& [position, event] : known.events) {
    decided.positions.push_back(position);
    add_busy(event.aggregate_id);
    if (known.place == BatchPlace::Front) front_.emplace(position, number);
  }
  if (known.place == BatchPlace::Held) held_batches_.insert(decided.aggregate_id);
  known_.emplace(number, std::move(known));
  step(std::move(decided));
  return number;
}

BatchNumber DeliveryQueue::decide_to_wait(Known known) {
  const BatchNumber number = decide(std::move(known));
  due_batches_.emplace(Timestamp{}, number);
  return number;
}

DeliveryQueue::Attempt DeliveryQueue::begin(BatchNumber number) {
  const DeliveryBatch& batch = state_.batches.at(number);
  due_batches_.erase({batch.not_before, number});
  under_way_.insert(number);
  return {number, batch.positions, attempts_of(number)};
}

/// Those that its first event has had in other batches count.
std::uint32_t DeliveryQueue::attempts_of(BatchNumber number) const {
  const DeliveryBatch& batch = state_.batches.at(number);
  const auto held = state_.held.find(known_.at(number).events.begin()->second.aggregate_id);
  const bool is_first = held != state_.held.end() && held->second.from == batch.positions.front();
  return is_first ? std::max(batch.attempts, held->second.attempts) : batch.attempts;
}

std::optional<DeliveryQueue::Attempt> DeliveryQueue::take(Timestamp now, std::size_t events_max) {
  if (stopped_ || under_way_.size() >= settings_.in_flight_max) return std::nullopt;
  if (settings_.one_by_one && !under_way_.empty()) return std::nullopt;
  while (!due_batches_.empty() && due_batches_.begin()->first <= now) {
    if (auto due = begin_at_most(due_batches_.begin()->second, events_max)) return due;
  }
  if (auto again = take_redrive()) return again;
  if (auto held = take_found()) return held;
  hold_slow(now);
  if (!cramped_.empty() || (settings_.one_by_one && !state_.batches.empty())) return std::nullopt;
  return take_new(events_max);
}

std::optional<DeliveryQueue::Attempt> DeliveryQueue::take_redrive() {
  if (!front_was_read()) return std::nullopt;
  for (auto at = redrives_.begin(); at != redrives_.end();) {
    const Position position = *at;
    const auto letter = state_.dead_letters.find(position);
    if (letter == state_.dead_letters.end()) {
      at = redrives_.erase(at);
      continue;
    }
    if (is_busy(letter->second.aggregate_id)) {
      ++at;
      continue;
    }
    redrives_.erase(at);
    Known known{BatchPlace::Redrive, {}};
    known.events[position].aggregate_id = letter->second.aggregate_id;
    return begin(decide(std::move(known)));
  }
  return std::nullopt;
}

std::optional<DeliveryQueue::Attempt> DeliveryQueue::take_found() {
  if (!front_was_read()) return std::nullopt;
  // It may be busy with a dead letter that is tried again, or with what it had at the front when it was held.
  const auto free = std::find_if(found_.begin(), found_.end(), [this](const auto& at) {
    return !is_busy(at.first) && (at.second < state_.end || !is_full());
  });
  if (free == found_.end()) return std::nullopt;
  const auto [aggregate, position] = *free;
  found_.erase(free);
  Known known{BatchPlace::Held, {}};
  known.events[position].aggregate_id = aggregate;
  return begin(decide(std::move(known)));
}

std::optional<DeliveryQueue::Attempt> DeliveryQueue::take_new(std::size_t events_max) {
  // Only what keeps the watermark back.
  if (is_full() && !waiting_.empty()) {
    const auto& [first, event] = *waiting_.begin();
    if (is_busy(event.aggregate_id) || (!front_.empty() && front_.begin()->first < first)) return std::nullopt;
  }
  Known known;
  std::size_t bytes = 0;
  for (auto at = waiting_.begin(); at != waiting_.end() && known.events.size() < events_max;) {
    const Event& event = at->second;
    if (is_busy(event.aggregate_id)) {
      ++at;
      continue;
    }
    if (!known.events.empty() && bytes + event.bytes > settings_.batch_bytes_max) break;
    bytes += event.bytes;
    known.events.insert(waiting_.extract(at++));
  }
  if (known.events.empty()) return std::nullopt;
  return begin(decide(std::move(known)));
}

void DeliveryQueue::hold_slow(Timestamp now) {
  for (auto at = waiting_.lower_bound(waited_end_); at != waiting_.end(); ++at) at->second.since = now;
  waited_end_ = read_end_;
  if (settings_.one_by_one) return;
  const std::size_t most = waiting_most();
  if (waiting_.size() <= most || plus(waiting_.begin()->second.since, settings_.busy_waiting_time) > now) return;
  struct Line {
    Position first;
    Timestamp since;
    std::size_t events = 0;
  };
  std::map<std::string, Line> lines;
  for (const auto& [position, event] : waiting_) {
    if (!is_busy(event.aggregate_id)) continue;
    Line& line = lines.try_emplace(event.aggregate_id, Line{position, event.since}).first->second;
    ++line.events;
  }
  for (const auto& [aggregate, line] : lines) {
    const bool slow = line.events > most && plus(line.since, settings_.busy_waiting_time) <= now;
    if (slow && state_.held.size() < settings_.held_max) hold(aggregate, {.from = line.first});
  }
}

void DeliveryQueue::forget(BatchNumber number) {
  const auto known = known_.find(number);
  for (const auto& [position, event] : known->second.events) {
    remove_busy(event.aggregate_id);
    if (known->second.place == BatchPlace::Held) held_batches_.erase(event.aggregate_id);
    front_.erase(position);
  }
  under_way_.erase(number);
  cramped_.erase(number);
  known_.erase(known);
}

void DeliveryQueue::settle(BatchNumber number, std::vector<Position> positions) {
  DeliveryBatch& batch = state_.batches.at(number);
  due_batches_.erase({batch.not_before, number});
  Known& known = known_.at(number);
  for (const Position position : positions) {
    front_.erase(position);
    const auto event = known.events.find(position);
    if (event == known.events.end()) continue;
    remove_busy(event->second.aggregate_id);
    if (known.place == BatchPlace::Held) held_batches_.erase(event->second.aggregate_id);
    known.events.erase(event);
  }
  const bool gone = positions.size() == batch.positions.size();
  step(BatchSettled{number, std::move(positions)});
  if (gone) forget(number);
}

void DeliveryQueue::dissolve(BatchNumber number) {
  due_batches_.erase({state_.batches.at(number).not_before, number});
  step(BatchDissolved{number});
  forget(number);
}

void DeliveryQueue::wait_until(BatchNumber number, std::uint32_t attempts, Timestamp not_before) {
  due_batches_.erase({state_.batches.at(number).not_before, number});
  under_way_.erase(number);
  step(BatchFailed{number, attempts, not_before});
  due_batches_.emplace(not_before, number);
}

void DeliveryQueue::abandoned(BatchNumber number) {
  if (under_way_.erase(number) == 1) due_batches_.emplace(state_.batches.at(number).not_before, number);
}

Timestamp DeliveryQueue::later(Timestamp now, const DeliveryFailure& failure, std::uint32_t attempts) {
  if (failure.retry_after) return plus(now, std::min(*failure.retry_after, settings_.delay_max));
  std::chrono::milliseconds delay = settings_.initial_delay;
  for (std::uint32_t i = 1; i < attempts && delay < settings_.delay_max; ++i) delay *= 2;
  delay = std::min(delay, settings_.delay_max);
  return plus(now, std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(1, delay.count())(random_)));
}

void DeliveryQueue::delivered(BatchNumber number, std::span<const Position> refused, Timestamp now) {
  if (!under_way_.contains(number)) return;
  if (refused.empty() && known_.at(number).place == BatchPlace::Front) return settle_whole(number);
  const DeliveryBatch batch = state_.batches.at(number);
  const Known known = known_.at(number);
  std::vector<Position> accepted;
  std::vector<Position> left;
  for (const Position position : batch.positions) {
    (std::find(refused.begin(), refused.end(), position) == refused.end() ? accepted : left).push_back(position);
  }
  const DeliveryFailure refusal{.error = "refused"};
  if (accepted.empty()) return failed(number, refusal, now);
  for (const Position position : accepted) {
    if (state_.dead_letters.contains(position)) step(DeadLetterRemoved{position});
  }
  settle(number, accepted);
  if (known.place == BatchPlace::Redrive) return unpark(accepted.front(), known.events.begin()->second.aggregate_id);
  if (known.place == BatchPlace::Held) {
    hold(known.events.begin()->second.aggregate_id, HeldAggregate{.from = accepted.front().next()});
    return;
  }
  if (left.empty()) return;
  // What is left has a number of its own, and was alone responsible for its failure.
  Known rest;
  for (const Position position : left) rest.events.emplace(position, known.events.at(position));
  dissolve(number);
  failed(begin_part(std::move(rest), batch.attempts), refusal, now);
}

/// What most deliveries come to.
void DeliveryQueue::settle_whole(BatchNumber number) {
  std::vector<Position> positions = state_.batches.at(number).positions;
  if (!state_.dead_letters.empty()) {
    for (const Position position : positions) {
      if (state_.dead_letters.contains(position)) step(DeadLetterRemoved{position});
    }
  }
  settle(number, std::move(positions));
}

void DeliveryQueue::settled(BatchNumber number, std::span<const Position> positions, Timestamp now) {
  if (!under_way_.contains(number)) return;
  const std::vector<Position>& all = state_.batches.at(number).positions;
  std::vector<Position> done;
  for (const Position position : all) {
    if (std::find(positions.begin(), positions.end(), position) != positions.end()) done.push_back(position);
  }
  if (done.size() == all.size()) return delivered(number, {}, now);
  if (done.empty()) return;
  for (const Position position : done) {
    if (state_.dead_letters.contains(position)) step(DeadLetterRemoved{position});
  }
  settle(number, std::move(done));
}

std::optional<BatchNumber> DeliveryQueue::failed(BatchNumber number, std::span<const Position> positions,
                                                 const DeliveryFailure& failure, Timestamp now) {
  STELE_CHECK(!settings_.one_by_one);
  if (!under_way_.contains(number)) return std::nullopt;
  const Known known = known_.at(number);
  const std::uint32_t attempts = state_.batches.at(number).attempts;
  std::map<std::string, Known> parts;
  for (const Position position : positions) {
    const auto event = known.events.find(position);
    if (event != known.events.end()) parts.try_emplace(event->second.aggregate_id);
  }
  Known rest;
  for (const auto& [position, event] : known.events) {
    const auto part = parts.find(event.aggregate_id);
    (part == parts.end() ? rest : part->second).events.emplace(position, event);
  }
  if (parts.empty()) return number;
  if (rest.events.empty()) {
    failed(number, failure, now);
    return std::nullopt;
  }
  dissolve(number);
  const BatchNumber left = begin_part(std::move(rest), attempts);
  for (auto& [aggregate, part] : parts) failed(begin_part(std::move(part), attempts), failure, now);
  return left;
}

/// Of a batch that is no more.
BatchNumber DeliveryQueue::decide_part(Known part, std::uint32_t attempts) {
  const BatchNumber number = decide_to_wait(std::move(part));
  if (attempts > 0) wait_until(number, attempts, Timestamp{});
  return number;
}

BatchNumber DeliveryQueue::begin_part(Known part, std::uint32_t attempts) {
  const BatchNumber number = decide_part(std::move(part), attempts);
  (void)begin(number);
  return number;
}

/// Its aggregates stay whole, so that none is in two batches. One that has too many events goes on behind the front,
/// one by one; then there may be nothing to begin.
std::optional<DeliveryQueue::Attempt> DeliveryQueue::begin_at_most(BatchNumber number, std::size_t events_max) {
  const std::uint32_t attempts = state_.batches.at(number).attempts;
  if (settings_.one_by_one || state_.batches.at(number).positions.size() <= events_max) return begin(number);
  std::vector<std::string> order;
  std::map<std::string, Known> parts;
  for (const auto& [position, event] : known_.at(number).events) {
    const auto [part, is_new] = parts.try_emplace(event.aggregate_id);
    if (is_new) order.push_back(event.aggregate_id);
    part->second.events.emplace(position, event);
  }
  const std::string& front = order.front();
  const bool is_large = parts.at(front).events.size() > events_max;
  if (is_large && !may_hold(number, front)) return begin(number);
  const Position front_position = parts.at(front).events.begin()->first;
  if (is_large) parts.erase(front);
  Known first;
  Known rest;
  for (const std::string& aggregate : order) {
    const auto part = parts.find(aggregate);
    if (part == parts.end()) continue;
    const bool fits = first.events.size() + part->second.events.size() <= events_max;
    (fits ? first : rest).events.merge(part->second.events);
  }
  dissolve(number);
  if (is_large) hold(front, {.from = front_position, .attempts = attempts});
  if (!rest.events.empty()) decide_part(std::move(rest), attempts);
  if (first.events.empty()) return std::nullopt;
  return begin(decide_part(std::move(first), attempts));
}

void DeliveryQueue::failed(BatchNumber number, const DeliveryFailure& failure, Timestamp now) {
  if (!under_way_.contains(number)) return;
  if (failure.kind == DeliveryFailure::Kind::Stop) {
    stopped_ = failure;
    return abandoned(number);
  }
  if (settings_.one_by_one) {
    if (failure.kind != DeliveryFailure::Kind::Retry) {
      stopped_ = failure;
      return abandoned(number);
    }
    const std::uint32_t attempts = state_.batches.at(number).attempts + 1;
    return wait_until(number, attempts, later(now, failure, attempts));
  }
  if (state_.batches.at(number).positions.size() == 1) return failed_alone(number, failure, now);
  failed_together(number, failure, now);
}

void DeliveryQueue::failed_alone(BatchNumber number, const DeliveryFailure& failure, Timestamp now) {
  const DeliveryBatch& batch = state_.batches.at(number);
  const Known& known = known_.at(number);
  const Position position = batch.positions.front();
  const std::string aggregate = known.events.at(position).aggregate_id;
  if (known.place == BatchPlace::Redrive) {
    DeadLetter letter = state_.dead_letters.at(position);
    letter.time = now;
    letter.error = failure.error.substr(0, kDeliveryErrorBytesMax);
    letter.status = failure.status;
    ++letter.attempts;
    step(DeadLetterAdded{position, std::move(letter)});
    return dissolve(number);
  }
  const std::uint32_t attempts = attempts_of(number) + 1;
  if (failure.kind != DeliveryFailure::Kind::Retry || attempts >= settings_.attempts_max) {
    return give_up(number, failure, attempts, now);
  }
  const Timestamp not_before = later(now, failure, attempts);
  if (may_hold(number, aggregate)) {
    cramped_.erase(number);
    held_batches_.insert(aggregate);
    hold(aggregate, {position, attempts, not_before, false});
    if (known.place == BatchPlace::Front) step(BatchHeld{number, aggregate});
    known_.at(number).place = BatchPlace::Held;
    front_.erase(position);
  }
  wait_until(number, attempts, not_before);
}

/// Of aggregates, two sets with about as many events each.
std::vector<DeliveryQueue::Known> DeliveryQueue::halves_of(std::vector<Known> aggregates) {
  std::sort(aggregates.begin(), aggregates.end(), [](const Known& one, const Known& other) {
    return one.events.begin()->first < other.events.begin()->first;
  });
  std::size_t events = 0;
  for (const Known& aggregate : aggregates) events += aggregate.events.size();
  std::vector<Known> halves(2);
  Known& first = halves.front();
  for (Known& aggregate : aggregates) {
    const bool fits = first.events.empty() || 2 * (first.events.size() + aggregate.events.size()) <= events;
    (fits ? first : halves.back()).events.merge(aggregate.events);
  }
  return halves;
}

void DeliveryQueue::failed_together(BatchNumber number, const DeliveryFailure& failure, Timestamp now) {
  const std::uint32_t attempts = state_.batches.at(number).attempts + 1;
  const Timestamp not_before = later(now, failure, attempts);
  if (attempts < 2 && failure.kind == DeliveryFailure::Kind::Retry) return wait_until(number, attempts, not_before);

  std::map<std::string, Known> parts;
  for (const auto& [position, event] : known_.at(number).events) {
    parts[event.aggregate_id].events.emplace(position, event);
  }
  if (parts.size() == 1) {
    const std::string& aggregate = parts.begin()->first;
    if (!may_hold(number, aggregate)) return wait_until(number, attempts, not_before);
    const Position first = state_.batches.at(number).positions.front();
    dissolve(number);
    return hold(aggregate, {first, attempts, not_before, false});
  }
  std::vector<Known> sets;
  for (auto& [aggregate, part] : parts) sets.push_back(std::move(part));
  if (failure.kind == DeliveryFailure::Kind::TooLarge) sets = halves_of(std::move(sets));
  dissolve(number);
  for (Known& set : sets) wait_until(decide(std::move(set)), 1, not_before);
}

void DeliveryQueue::give_up(BatchNumber number, const DeliveryFailure& failure, std::uint32_t attempts, Timestamp now) {
  const Position position = state_.batches.at(number).positions.front();
  const Known known = known_.at(number);
  const std::string& aggregate = known.events.at(position).aggregate_id;
  if (settings_.on_dead_letter == OnDeadLetter::Stop) {
    stopped_ = failure;
    return wait_until(number, attempts, now);
  }
  const bool known_letter = state_.dead_letters.contains(position);
  const bool full = !known_letter && state_.dead_letters.size() >= settings_.dead_letters_max;
  if (full) cramped_.insert(number);
  const bool park = settings_.on_dead_letter == OnDeadLetter::Park;
  if (full || (park && !may_hold(number, aggregate))) {
    return wait_until(number, attempts, plus(now, settings_.delay_max));
  }
  step(DeadLetterAdded{position,
                       {aggregate, attempts, now, failure.error.substr(0, kDeliveryErrorBytesMax), failure.status}});
  settle(number, {position});
  if (park || known.place == BatchPlace::Held) hold(aggregate, {.from = position.next(), .parked = park});
}

// Dead letters.

bool DeliveryQueue::redrive(Position position) {
  if (!state_.dead_letters.contains(position)) return false;
  for (const auto& [number, known] : known_) {
    if (known.place == BatchPlace::Redrive && known.events.contains(position)) return false;
  }
  return redrives_.insert(position).second;
}

bool DeliveryQueue::drop(Position position) {
  const auto letter = state_.dead_letters.find(position);
  if (letter == state_.dead_letters.end()) return false;
  for (const auto& [number, known] : known_) {
    if (known.place == BatchPlace::Redrive && known.events.contains(position)) return false;
  }
  const std::string aggregate = letter->second.aggregate_id;
  redrives_.erase(position);
  step(DeadLetterRemoved{position});
  unpark(position, aggregate);
  return true;
}

void DeliveryQueue::unpark(Position position, const std::string& aggregate_id) {
  const auto held = state_.held.find(aggregate_id);
  if (held == state_.held.end() || !held->second.parked || held->second.from != position.next()) return;
  hold(aggregate_id, {.from = held->second.from});
}

// What there is to keep, and when to come back.

std::pair<Position, Timestamp> DeliveryQueue::settled_end() const {
  std::pair<Position, Timestamp> end{read_end_, read_time_};
  if (!waiting_.empty() && waiting_.begin()->first < end.first) {
    end = {waiting_.begin()->first, waiting_.begin()->second.time};
  }
  if (!front_.empty() && front_.begin()->first < end.first) {
    const auto [position, number] = *front_.begin();
    const auto& events = known_.at(number).events;
    const auto event = events.find(position);
    end = {position, event == events.end() ? state_.end_time : event->second.time};
  }
  return end;
}

std::vector<DeliveryStep> DeliveryQueue::take_steps(bool checkpoint) {
  const auto [end, time] = settled_end();
  if (end > state_.end && (checkpoint || !steps_.empty() || is_full() || end.since(state_.end) >= kAdvanceEvery)) {
    step(DeliveryAdvanced{end, time});
  }
  return std::exchange(steps_, {});
}

std::optional<Timestamp> DeliveryQueue::next_due(Timestamp now) const {
  std::optional<Timestamp> due;
  const auto consider = [&](Timestamp time) {
    if (time > now && (!due || time < *due)) due = time;
  };
  if (!due_batches_.empty()) consider(due_batches_.begin()->first);
  if (!due_looks_.empty()) consider(due_looks_.begin()->first);
  if (!settings_.one_by_one && waiting_.size() > waiting_most()) {
    // Events wait in the order in which they came.
    for (const auto& [position, event] : waiting_) {
      const Timestamp slow = plus(event.since, settings_.busy_waiting_time);
      if (position < waited_end_) consider(slow);
      if (position >= waited_end_ || slow > now) break;
    }
  }
  return due;
}

}  // namespace stele
