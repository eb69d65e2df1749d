#pragma once
// How far the deliveries of a subscription have come, as it outlives the process: positions and counts, never bodies.
// It changes by small steps, which are kept in a journal (delivery_journal.h) and made by a DeliveryQueue
// (delivery_queue.h). Losing the newest steps means that something is delivered again, never that something is not.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/ids.h"

namespace stele {

/// A subscription in the journal: the position of the event that has created it.
using SubscriptionKey = StrongId<struct SubscriptionKeyTag>;
/// Of a set of events that is delivered together: from 1 in each subscription, never used again.
using BatchNumber = StrongId<struct BatchNumberTag>;

/// Where the events of a batch come from.
enum class BatchPlace : std::uint8_t {
  Front = 0,    ///< the log, in its order; the watermark stays behind them
  Held = 1,     ///< a held aggregate: one event
  Redrive = 2,  ///< the dead letters: one event
};

/// A set of events whose delivery was decided. Its number and positions stay the same over all its attempts.
struct DeliveryBatch {
  BatchPlace place = BatchPlace::Front;
  std::string aggregate_id;         ///< unless it is of the front
  std::vector<Position> positions;  ///< ascending, not empty; what was acknowledged alone is taken out
  std::uint32_t attempts = 0;       ///< of this very set that have failed
  Timestamp not_before;             ///< of the next attempt
  bool operator==(const DeliveryBatch&) const = default;
};

/// An aggregate whose events from `from` on are delivered apart, one by one, because one of them failed. The watermark
/// passes them.
struct HeldAggregate {
  Position from;
  std::uint32_t attempts = 0;  ///< of the first of them that have failed
  Timestamp not_before;        ///< of its next attempt
  bool parked = false;         ///< waits behind a dead letter, until that is gone
  bool operator==(const HeldAggregate&) const = default;
};

/// An event that was given up.
struct DeadLetter {
  std::string aggregate_id;
  std::uint32_t attempts = 0;
  Timestamp time;
  std::string error;         ///< class of the last failure, at most kDeliveryErrorBytesMax
  std::uint16_t status = 0;  ///< of HTTP; 0 = there was no answer
  bool operator==(const DeadLetter&) const = default;
};
inline constexpr std::size_t kDeliveryErrorBytesMax = 64;
/// Of one step, so that a step is at most 8 MiB and a bit.
inline constexpr std::size_t kDeliveryPositionsMax = 1U << 20;

struct DeliveryState {
  std::uint32_t generation = 1;  ///< counts how often the place was set anew
  Position end;                  ///< everything before was delivered, did not match, is held, or is a dead letter
  Timestamp end_time;            ///< of the newest record before `end`
  std::set<Position> settled;    ///< at or behind `end`, delivered all the same
  BatchNumber last_batch;        ///< that was decided; 0 = none
  std::map<BatchNumber, DeliveryBatch> batches;
  std::map<std::string, HeldAggregate, std::less<>> held;
  std::map<Position, DeadLetter> dead_letters;

  bool operator==(const DeliveryState&) const = default;
};

// Steps. Those of one call of the journal become durable together, or none of them.

/// Everything begins anew at `end`: the first step of a subscription, and a seek. Dead letters stay.
struct DeliveryBegun {
  std::uint32_t generation = 1;
  Position end;
  BatchNumber last_batch;  ///< numbers go on behind it
};
struct BatchDecided {
  BatchNumber number;
  std::vector<Position> positions;
  BatchPlace place = BatchPlace::Front;
  std::string aggregate_id{};
};
/// A batch of one event, of the front until now, is one of a held aggregate.
struct BatchHeld {
  BatchNumber number;
  std::string aggregate_id;
};
/// An attempt at all of it failed, and there will be another.
struct BatchFailed {
  BatchNumber number;
  std::uint32_t attempts = 0;
  Timestamp not_before;
};
/// These of its events are done with. A batch that has none left is gone.
struct BatchSettled {
  BatchNumber number;
  std::vector<Position> positions;
};
/// Delivered without a batch that the journal still knows.
struct EventsSettled {
  std::vector<Position> positions;
};
/// It is gone; what it has left is to be decided anew.
struct BatchDissolved {
  BatchNumber number;
};
struct AggregateHeld {
  std::string aggregate_id;
  HeldAggregate held;
};
struct AggregateReleased {
  std::string aggregate_id;
};
struct DeadLetterAdded {
  Position position;
  DeadLetter letter;
};
struct DeadLetterRemoved {
  Position position;
};
struct DeliveryAdvanced {
  Position end;
  Timestamp end_time;
};
using DeliveryStep =
    std::variant<DeliveryBegun, BatchDecided, BatchHeld, BatchFailed, BatchSettled, EventsSettled, BatchDissolved,
                 AggregateHeld, AggregateReleased, DeadLetterAdded, DeadLetterRemoved, DeliveryAdvanced>;

/// False if it does not fit the state, which is then unchanged: whoever wrote it was not at this state.
[[nodiscard]] bool apply_step(DeliveryState& state, const DeliveryStep& step);

/// Steps that lead from nothing to `state`.
[[nodiscard]] std::vector<DeliveryStep> steps_to(const DeliveryState& state);

void append_step(std::string& to, const DeliveryStep& step);
/// Takes one off the front of `bytes`; none if it is not one.
[[nodiscard]] std::optional<DeliveryStep> take_step(std::string_view& bytes);

}  // namespace stele
