#include "engine/deliveries/delivery_state.h"

#include <algorithm>
#include <utility>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace stele {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

bool is_ascending(const std::vector<Position>& positions) {
  return !positions.empty() &&
         std::adjacent_find(positions.begin(), positions.end(), std::greater_equal<>()) == positions.end();
}

void settle(DeliveryState& state, const std::vector<Position>& positions) {
  for (const Position position : positions) {
    if (position >= state.end) state.settled.insert(position);
  }
}

/// What was settled one by one is forgotten once everything before it is.
void forget_settled(DeliveryState& state) {
  state.settled.erase(state.settled.begin(), state.settled.lower_bound(state.end));
}

}  // namespace

bool apply_step(DeliveryState& state, const DeliveryStep& step) {
  const auto change = Overloaded{
      [&](const DeliveryBegun& begun) {
        if (begun.generation < state.generation) return false;
        state.generation = begun.generation;
        state.last_batch = std::max(state.last_batch, begun.last_batch);
        state.end = begun.end;
        state.end_time = {};
        state.settled.clear();
        state.batches.clear();
        state.held.clear();
        return true;
      },
      [&](const BatchDecided& decided) {
        const bool alone = decided.positions.size() == 1;
        if (decided.number <= state.last_batch || !is_ascending(decided.positions)) return false;
        if (decided.place != BatchPlace::Front && !alone) return false;
        state.last_batch = decided.number;
        state.batches.emplace(decided.number, DeliveryBatch{.place = decided.place,
                                                            .aggregate_id = decided.aggregate_id,
                                                            .positions = decided.positions});
        return true;
      },
      [&](const BatchHeld& held) {
        const auto batch = state.batches.find(held.number);
        if (batch == state.batches.end() || batch->second.positions.size() != 1) return false;
        batch->second.place = BatchPlace::Held;
        batch->second.aggregate_id = held.aggregate_id;
        return true;
      },
      [&](const BatchFailed& failed) {
        const auto batch = state.batches.find(failed.number);
        if (batch == state.batches.end()) return false;
        batch->second.attempts = failed.attempts;
        batch->second.not_before = failed.not_before;
        return true;
      },
      [&](const BatchSettled& settled) {
        const auto batch = state.batches.find(settled.number);
        if (batch == state.batches.end() || !is_ascending(settled.positions)) return false;
        std::vector<Position>& positions = batch->second.positions;
        if (!std::includes(positions.begin(), positions.end(), settled.positions.begin(), settled.positions.end())) {
          return false;
        }
        std::vector<Position> left;
        std::set_difference(positions.begin(), positions.end(), settled.positions.begin(), settled.positions.end(),
                            std::back_inserter(left));
        positions = std::move(left);
        if (positions.empty()) state.batches.erase(batch);
        settle(state, settled.positions);
        return true;
      },
      [&](const EventsSettled& settled) {
        settle(state, settled.positions);
        return true;
      },
      [&](const BatchDissolved& dissolved) { return state.batches.erase(dissolved.number) == 1; },
      [&](const AggregateHeld& held) {
        state.held.insert_or_assign(held.aggregate_id, held.held);
        return true;
      },
      [&](const AggregateReleased& released) {
        const auto held = state.held.find(released.aggregate_id);
        if (held == state.held.end()) return false;
        state.held.erase(held);
        return true;
      },
      [&](const DeadLetterAdded& added) {
        state.dead_letters.insert_or_assign(added.position, added.letter);
        return true;
      },
      [&](const DeadLetterRemoved& removed) { return state.dead_letters.erase(removed.position) == 1; },
      [&](const DeliveryAdvanced& advanced) {
        if (advanced.end < state.end) return false;
        state.end = advanced.end;
        state.end_time = advanced.end_time;
        forget_settled(state);
        return true;
      },
  };
  return std::visit(change, step);
}

namespace {
/// As far as the number of positions is not given: far less than a step may hold.
constexpr std::size_t kPositionsAStep = 1U << 16;
}  // namespace

std::vector<DeliveryStep> steps_to(const DeliveryState& state) {
  std::vector<DeliveryStep> steps;
  const BatchNumber first = state.batches.empty() ? state.last_batch.next() : state.batches.begin()->first;
  steps.emplace_back(DeliveryBegun{state.generation, state.end, BatchNumber{first.value() - 1}});
  if (state.end_time != Timestamp{}) steps.emplace_back(DeliveryAdvanced{state.end, state.end_time});
  std::vector<Position> settled;
  for (const Position position : state.settled) {
    settled.push_back(position);
    if (settled.size() == kPositionsAStep) steps.emplace_back(EventsSettled{std::exchange(settled, {})});
  }
  if (!settled.empty()) steps.emplace_back(EventsSettled{std::move(settled)});
  for (const auto& [number, batch] : state.batches) {
    steps.emplace_back(BatchDecided{number, batch.positions, batch.place, batch.aggregate_id});
    if (batch.attempts > 0) steps.emplace_back(BatchFailed{number, batch.attempts, batch.not_before});
  }
  if (!state.batches.empty() && state.last_batch > state.batches.rbegin()->first) {
    // A number that is not used any more is still not to be used again.
    steps.emplace_back(BatchDecided{state.last_batch, {Position{0}}});
    steps.emplace_back(BatchDissolved{state.last_batch});
  }
  for (const auto& [aggregate, held] : state.held) steps.emplace_back(AggregateHeld{aggregate, held});
  for (const auto& [position, letter] : state.dead_letters) steps.emplace_back(DeadLetterAdded{position, letter});
  return steps;
}

namespace {

void put_positions(std::string& to, const std::vector<Position>& positions) {
  STELE_CHECK(positions.size() <= kDeliveryPositionsMax);  // or it could not be read
  put<std::uint32_t>(to, static_cast<std::uint32_t>(positions.size()));
  for (const Position position : positions) put<std::uint64_t>(to, position.value());
}
void put_short_text(std::string& to, std::string_view text) {
  STELE_CHECK(text.size() <= 0xFF);
  put<std::uint8_t>(to, static_cast<std::uint8_t>(text.size()));
  to += text;
}

bool take_positions(ByteReader& in, std::vector<Position>& positions) {
  const auto count = in.take<std::uint32_t>();
  if (count > kDeliveryPositionsMax || in.left() / sizeof(std::uint64_t) < count) return false;
  positions.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) positions.emplace_back(in.take<std::uint64_t>());
  return is_ascending(positions);
}
std::string take_short_text(ByteReader& in) { return std::string(in.take_bytes(in.take<std::uint8_t>())); }
Position take_position(ByteReader& in) { return Position{in.take<std::uint64_t>()}; }
BatchNumber take_number(ByteReader& in) { return BatchNumber{in.take<std::uint64_t>()}; }
Timestamp take_time(ByteReader& in) { return Timestamp{in.take<std::int64_t>()}; }

}  // namespace

void append_step(std::string& to, const DeliveryStep& step) {
  put<std::uint8_t>(to, static_cast<std::uint8_t>(step.index() + 1));
  const auto write = Overloaded{
      [&](const DeliveryBegun& begun) {
        put<std::uint32_t>(to, begun.generation);
        put<std::uint64_t>(to, begun.end.value());
        put<std::uint64_t>(to, begun.last_batch.value());
      },
      [&](const BatchDecided& decided) {
        put<std::uint64_t>(to, decided.number.value());
        put_positions(to, decided.positions);
        put<std::uint8_t>(to, static_cast<std::uint8_t>(decided.place));
        put_short_text(to, decided.aggregate_id);
      },
      [&](const BatchHeld& held) {
        put<std::uint64_t>(to, held.number.value());
        put_short_text(to, held.aggregate_id);
      },
      [&](const BatchFailed& failed) {
        put<std::uint64_t>(to, failed.number.value());
        put<std::uint32_t>(to, failed.attempts);
        put<std::int64_t>(to, failed.not_before.micros);
      },
      [&](const BatchSettled& settled) {
        put<std::uint64_t>(to, settled.number.value());
        put_positions(to, settled.positions);
      },
      [&](const EventsSettled& settled) { put_positions(to, settled.positions); },
      [&](const BatchDissolved& dissolved) { put<std::uint64_t>(to, dissolved.number.value()); },
      [&](const AggregateHeld& held) {
        put_short_text(to, held.aggregate_id);
        put<std::uint64_t>(to, held.held.from.value());
        put<std::uint32_t>(to, held.held.attempts);
        put<std::int64_t>(to, held.held.not_before.micros);
        put<std::uint8_t>(to, held.held.parked ? 1 : 0);
      },
      [&](const AggregateReleased& released) { put_short_text(to, released.aggregate_id); },
      [&](const DeadLetterAdded& added) {
        put<std::uint64_t>(to, added.position.value());
        put_short_text(to, added.letter.aggregate_id);
        put<std::uint32_t>(to, added.letter.attempts);
        put<std::int64_t>(to, added.letter.time.micros);
        put_short_text(to, std::string_view(added.letter.error).substr(0, kDeliveryErrorBytesMax));
        put<std::uint16_t>(to, added.letter.status);
      },
      [&](const DeadLetterRemoved& removed) { put<std::uint64_t>(to, removed.position.value()); },
      [&](const DeliveryAdvanced& advanced) {
        put<std::uint64_t>(to, advanced.end.value());
        put<std::int64_t>(to, advanced.end_time.micros);
      },
  };
  std::visit(write, step);
}

std::optional<DeliveryStep> take_step(std::string_view& bytes) {
  ByteReader in(bytes);
  DeliveryStep step;
  bool good = true;
  switch (in.take<std::uint8_t>()) {
    case 1: {
      DeliveryBegun begun;
      begun.generation = in.take<std::uint32_t>();
      begun.end = take_position(in);
      begun.last_batch = take_number(in);
      step = begun;
      break;
    }
    case 2: {
      BatchDecided decided{take_number(in), {}};
      good = take_positions(in, decided.positions);
      const auto place = in.take<std::uint8_t>();
      good = good && place <= static_cast<std::uint8_t>(BatchPlace::Redrive);
      decided.place = static_cast<BatchPlace>(place);
      decided.aggregate_id = take_short_text(in);
      step = std::move(decided);
      break;
    }
    case 3: {
      BatchHeld held{take_number(in), {}};
      held.aggregate_id = take_short_text(in);
      step = std::move(held);
      break;
    }
    case 4: {
      BatchFailed failed;
      failed.number = take_number(in);
      failed.attempts = in.take<std::uint32_t>();
      failed.not_before = take_time(in);
      step = failed;
      break;
    }
    case 5: {
      BatchSettled settled{take_number(in), {}};
      good = take_positions(in, settled.positions);
      step = std::move(settled);
      break;
    }
    case 6: {
      EventsSettled settled;
      good = take_positions(in, settled.positions);
      step = std::move(settled);
      break;
    }
    case 7:
      step = BatchDissolved{take_number(in)};
      break;
    case 8: {
      AggregateHeld held;
      held.aggregate_id = take_short_text(in);
      held.held.from = take_position(in);
      held.held.attempts = in.take<std::uint32_t>();
      held.held.not_before = take_time(in);
      const auto parked = in.take<std::uint8_t>();
      held.held.parked = parked == 1;
      good = parked <= 1;
      step = std::move(held);
      break;
    }
    case 9:
      step = AggregateReleased{take_short_text(in)};
      break;
    case 10: {
      DeadLetterAdded added;
      added.position = take_position(in);
      added.letter.aggregate_id = take_short_text(in);
      added.letter.attempts = in.take<std::uint32_t>();
      added.letter.time = take_time(in);
      added.letter.error = take_short_text(in);
      added.letter.status = in.take<std::uint16_t>();
      good = added.letter.error.size() <= kDeliveryErrorBytesMax;
      step = std::move(added);
      break;
    }
    case 11:
      step = DeadLetterRemoved{take_position(in)};
      break;
    case 12: {
      DeliveryAdvanced advanced;
      advanced.end = take_position(in);
      advanced.end_time = take_time(in);
      step = advanced;
      break;
    }
    default:
      return std::nullopt;
  }
  if (!good || !in.ok()) return std::nullopt;
  bytes.remove_prefix(bytes.size() - in.left());
  return step;
}

}  // namespace stele
