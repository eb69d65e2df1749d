#pragma once
// What is delivered next, to one subscription, and what becomes of it: at least once, in the order of each aggregate,
// aggregates beside each other. A state machine without threads, time or disk: the owner reads events and offers them,
// attempts what take() gives, says how that ended, and keeps the steps (delivery_state.h) in the journal.
//
// The front is where events come in the order of the log. An event waits while an earlier one of its aggregate is
// under way. A batch that fails is tried again whole once (one that is too large in halves, of whole aggregates), then
// by aggregate, then event by event: from there on its aggregate is *held*, behind the front, and the watermark passes
// it. The events of a held aggregate are looked up one by one, and attempted when it has no batch at the front; once it
// has caught up it is released. A slow aggregate is held too, or those behind it would have to wait. An event that
// fails for good becomes a dead letter: skipped, or with its aggregate parked behind it, or the queue stops at it.
//
// A batch of one event keeps its number over all its attempts, a larger one until it is split. Nothing is attempted
// while a step is not durable: neither a batch whose decision it is, nor any other as long as the journal is in
// trouble. After a crash, what was decided is attempted again, with its number.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/ids.h"
#include "engine/deliveries/delivery_state.h"

namespace stele {

enum class OnDeadLetter : std::uint8_t {
  Skip,  ///< what comes behind it goes on
  Park,  ///< later events of its aggregate wait until it is gone
  Stop,  ///< the queue stops at it; nothing becomes a dead letter
};

struct DeliverySettings {
  std::uint32_t attempts_max = 10;  ///< of an event, those in batches included; it is dead only after it failed alone
  std::chrono::milliseconds initial_delay{1'000};  ///< doubles with each attempt, full jitter
  std::chrono::milliseconds delay_max{3'600'000};
  OnDeadLetter on_dead_letter = OnDeadLetter::Skip;
  std::size_t batch_events_max = 1;
  std::size_t batch_bytes_max = 1U << 20;  ///< one event may be larger
  std::size_t in_flight_max = 16;          ///< batches
  bool one_by_one = false;  ///< one batch at a time, in the order of the log; failures are tried for ever, or stop
  std::size_t waiting_max = 1'000;  ///< events that were read ahead
  std::size_t held_max = 10'000;
  std::size_t dead_letters_max = 100'000;
  /// Events that were delivered while one before them was not. Then nothing behind that one is begun.
  std::size_t settled_max = 100'000;
  /// An aggregate of which more events than this wait, the first of them for longer than this, while it has a batch
  /// under way, is held, so that the front goes on without it; if `waiting_max` is reached, whatever their number.
  std::size_t busy_waiting_max = 100;
  std::chrono::milliseconds busy_waiting_time{60'000};
};

struct DeliveryFailure {
  enum class Kind : std::uint8_t {
    Retry,     ///< may succeed later
    Final,     ///< will not: an event alone becomes a dead letter
    TooLarge,  ///< a smaller set may succeed; for one event it is final
    Stop,      ///< nothing is wanted any more
  };
  Kind kind = Kind::Retry;
  std::string error;  ///< class of the failure; at most kDeliveryErrorBytesMax are kept
  std::uint16_t status = 0;
  std::optional<std::chrono::milliseconds> retry_after{};  ///< instead of the delay; not beyond delay_max
};

/// Not thread-safe. Its time is the owner's wall clock, which may jump: that moves attempts, and loses nothing.
class DeliveryQueue {
 public:
  /// Goes on at `state`. The seed is for jitter.
  DeliveryQueue(const DeliverySettings& settings, DeliveryState state, std::uint64_t seed);

  // The front. Events that match are offered in the order of the log, from read_end() on.
  [[nodiscard]] Position read_end() const { return read_end_; }
  /// How many events may be offered now; 0: when something was delivered, or taken.
  [[nodiscard]] std::size_t room() const;
  void offer(Position position, Timestamp time, std::string_view aggregate_id, std::size_t bytes);
  /// Everything before `end` was read, and offered if it matches; `time` is that of the newest record before it.
  void examined(Position end, Timestamp time);

  // Held aggregates, of which the next event has to be looked up: the first that matches at or behind `from`.
  struct Look {
    std::string aggregate_id;
    Position from;
  };
  /// One that is due, if any; the same until looked() was called.
  [[nodiscard]] std::optional<Look> next_look(Timestamp now) const;
  /// What there is before `until`. None: the aggregate has caught up, if the front was not beyond that.
  void looked(const Look& look, Position until, std::optional<Position> found);

  struct Attempt {
    BatchNumber number;
    std::vector<Position> positions;
    std::uint32_t attempts = 0;  ///< that have failed before
  };
  /// What is to be attempted now; at most `events_max`, so that a batch that was larger comes in parts with numbers of
  /// their own (one by one it comes as it was). It is under way until one of the calls below. Take the steps, and wait
  /// for them, before it is attempted.
  [[nodiscard]] std::optional<Attempt> take(Timestamp now, std::size_t events_max);
  [[nodiscard]] std::optional<Attempt> take(Timestamp now) { return take(now, settings_.batch_events_max); }
  /// The batch was acknowledged, but for `refused`, which the receiver could not take.
  void delivered(BatchNumber number, std::span<const Position> refused, Timestamp now);
  void failed(BatchNumber number, const DeliveryFailure& failure, Timestamp now);
  // The same for some of its events, while the receiver is still at the others. Not one by one.
  void settled(BatchNumber number, std::span<const Position> positions, Timestamp now);
  /// What else is left of their aggregates has failed with them, since none may be in two batches. The others are under
  /// way with another number, which is given back; none: nothing is left.
  [[nodiscard]] std::optional<BatchNumber> failed(BatchNumber number, std::span<const Position> positions,
                                                  const DeliveryFailure& failure, Timestamp now);
  /// It was not attempted, or nobody knows: again, with the same number.
  void abandoned(BatchNumber number);

  // Dead letters. False: there is none at this place, or it is under way.
  /// It is attempted once more, with a number of its own; if that fails it stays. Forgotten by a crash.
  bool redrive(Position position);
  bool drop(Position position);

  /// What has changed since the last call, to be journaled at once and in order. The watermark moves with it; if
  /// nothing else has changed, only when it has come far, or for a checkpoint.
  [[nodiscard]] std::vector<DeliveryStep> take_steps(bool checkpoint = false);

  /// When something is due that is not due now; none: only what comes from outside changes anything.
  [[nodiscard]] std::optional<Timestamp> next_due(Timestamp now) const;
  /// At a dead letter, or because the receiver wants nothing more; until resume(), which goes on with the same event.
  [[nodiscard]] bool stopped() const { return stopped_.has_value(); }
  [[nodiscard]] const std::optional<DeliveryFailure>& why_stopped() const { return stopped_; }
  void resume() { stopped_.reset(); }
  /// A bound is reached: of held aggregates, dead letters or settled events. Nothing is lost, and nothing new is begun.
  [[nodiscard]] bool stalled() const { return !cramped_.empty() || is_full(); }

  [[nodiscard]] const DeliveryState& state() const { return state_; }
  [[nodiscard]] std::size_t in_flight() const { return under_way_.size(); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Event {
    std::string aggregate_id;
    Timestamp time;
    std::size_t bytes = 0;
    Timestamp since;  ///< when it was first waiting in take()
  };
  /// What is known of a batch in this process.
  struct Known {
    BatchPlace place = BatchPlace::Front;
    std::map<Position, Event> events;  ///< after a start those that were offered again, and all others of a batch
  };

  void step(DeliveryStep step);
  [[nodiscard]] bool is_held(std::string_view aggregate_id) const { return state_.held.contains(aggregate_id); }
  [[nodiscard]] bool is_busy(std::string_view aggregate_id) const { return busy_.contains(aggregate_id); }
  [[nodiscard]] bool is_full() const { return state_.settled.size() >= settings_.settled_max; }
  [[nodiscard]] bool front_was_read() const;
  void pass_over(Position end);
  [[nodiscard]] bool is_whole(BatchNumber number) const;
  void add_busy(const std::string& aggregate_id);
  void remove_busy(const std::string& aggregate_id);
  BatchNumber decide(Known known);
  BatchNumber decide_to_wait(Known known);
  Attempt begin(BatchNumber number);
  [[nodiscard]] std::uint32_t attempts_of(BatchNumber number) const;
  BatchNumber decide_part(Known part, std::uint32_t attempts);
  BatchNumber begin_part(Known part, std::uint32_t attempts);
  [[nodiscard]] std::optional<Attempt> begin_at_most(BatchNumber number, std::size_t events_max);
  void wait_until(BatchNumber number, std::uint32_t attempts, Timestamp not_before);
  void settle(BatchNumber number, std::vector<Position> positions);
  void settle_whole(BatchNumber number);
  void dissolve(BatchNumber number);
  void forget(BatchNumber number);
  void hold(const std::string& aggregate_id, const HeldAggregate& held);
  void release(const std::string& aggregate_id);
  [[nodiscard]] bool may_hold(BatchNumber number, const std::string& aggregate_id);
  void failed_alone(BatchNumber number, const DeliveryFailure& failure, Timestamp now);
  [[nodiscard]] static std::vector<Known> halves_of(std::vector<Known> aggregates);
  void failed_together(BatchNumber number, const DeliveryFailure& failure, Timestamp now);
  void give_up(BatchNumber number, const DeliveryFailure& failure, std::uint32_t attempts, Timestamp now);
  void unpark(Position position, const std::string& aggregate_id);
  [[nodiscard]] Timestamp later(Timestamp now, const DeliveryFailure& failure, std::uint32_t attempts);
  [[nodiscard]] std::pair<Position, Timestamp> settled_end() const;
  [[nodiscard]] std::optional<Attempt> take_redrive();
  [[nodiscard]] std::optional<Attempt> take_found();
  [[nodiscard]] std::optional<Attempt> take_new(std::size_t events_max);
  /// That may wait of one busy aggregate.
  [[nodiscard]] std::size_t waiting_most() const {
    return waiting_.size() < settings_.waiting_max ? settings_.busy_waiting_max : 0;
  }
  void hold_slow(Timestamp now);

  const DeliverySettings settings_;
  DeliveryState state_;
  std::vector<DeliveryStep> steps_;
  std::mt19937_64 random_;

  Position read_end_;
  Timestamp read_time_;
  std::map<Position, Event> waiting_;      ///< offered, not decided
  Position waited_end_;                    ///< those before have a `since`
  std::map<BatchNumber, Known> known_;     ///< of each batch of the state
  std::map<Position, BatchNumber> front_;  ///< batches of the front by their events that are not settled
  std::set<Position> unread_;              ///< of those, since a start: what was not offered again yet
  std::set<BatchNumber> under_way_;
  std::set<std::pair<Timestamp, BatchNumber>> due_batches_;  ///< not under way, and all of them is known
  std::set<std::string, std::less<>> held_batches_;          ///< held aggregates that have a batch
  std::set<std::pair<Timestamp, std::string>> due_looks_;    ///< held aggregates without a batch or a known next event
  std::map<std::string, Position, std::less<>> found_;       ///< next event of held aggregates
  std::map<std::string, std::size_t, std::less<>> busy_;     ///< aggregates in batches, and in how many
  std::set<Position> redrives_;
  std::optional<DeliveryFailure> stopped_;
  std::set<BatchNumber> cramped_;  ///< batches whose aggregate cannot be held, or event given up, for want of room
};

}  // namespace stele
