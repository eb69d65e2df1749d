#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/deliveries/delivery_state.h"

namespace stele {
namespace {

std::vector<Position> at(std::initializer_list<std::uint64_t> numbers) {
  std::vector<Position> positions;
  for (const std::uint64_t number : numbers) positions.emplace_back(number);
  return positions;
}

/// One of each kind.
std::vector<DeliveryStep> sample_steps() {
  return {DeliveryBegun{2, Position{10}, BatchNumber{3}},
          BatchDecided{BatchNumber{4}, at({10, 12, 15})},
          BatchDecided{BatchNumber{5}, at({11}), BatchPlace::Front, ""},
          BatchHeld{BatchNumber{5}, "mission/1"},
          BatchFailed{BatchNumber{4}, 1, Timestamp{77}},
          BatchSettled{BatchNumber{4}, at({12})},
          EventsSettled{at({16, 20})},
          BatchDecided{BatchNumber{9}, at({3}), BatchPlace::Redrive, "m"},
          BatchDissolved{BatchNumber{9}},
          AggregateHeld{"mission/1", {Position{11}, 3, Timestamp{99}, false}},
          AggregateHeld{"m", {Position{4}, 0, Timestamp{}, true}},
          AggregateHeld{"gone", {Position{4}, 0, Timestamp{}, true}},
          AggregateReleased{"gone"},
          DeadLetterAdded{Position{3}, {"m", 10, Timestamp{5}, "timeout", 0}},
          DeadLetterAdded{Position{2}, {"m", 1, Timestamp{6}, "status", 410}},
          DeadLetterRemoved{Position{2}},
          DeliveryAdvanced{Position{10}, Timestamp{1234}}};
}

DeliveryState after(const std::vector<DeliveryStep>& steps) {
  DeliveryState state;
  for (const DeliveryStep& step : steps) REQUIRE(apply_step(state, step));
  return state;
}

}  // namespace

TEST_CASE("DeliveryState.StepsComeBackFromTheirBytes") {
  std::string bytes;
  for (const DeliveryStep& step : sample_steps()) append_step(bytes, step);
  std::string_view rest = bytes;
  std::vector<DeliveryStep> steps;
  while (!rest.empty()) {
    const auto step = take_step(rest);
    REQUIRE(step);
    steps.push_back(*step);
  }
  CHECK(steps.size() == sample_steps().size());
  CHECK(after(steps) == after(sample_steps()));
  std::string again;
  for (const DeliveryStep& step : steps) append_step(again, step);
  CHECK(again == bytes);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    std::string_view part = std::string_view(bytes).substr(0, cut);
    while (take_step(part)) {
    }
    CHECK(part.size() < 64);
  }
}

TEST_CASE("DeliveryState.ItsOwnStepsLeadToIt") {
  DeliveryState state = after(sample_steps());
  CHECK(after(steps_to(state)) == state);
  // A number that was used once is not used again, whatever is left.
  REQUIRE(apply_step(state, BatchDecided{BatchNumber{30}, at({18})}));
  REQUIRE(apply_step(state, BatchDissolved{BatchNumber{30}}));
  CHECK(after(steps_to(state)) == state);
  REQUIRE(apply_step(state, DeliveryBegun{3, Position{0}, {}}));
  CHECK(state.last_batch == BatchNumber{30});
  CHECK(state.dead_letters.size() == 1);
  CHECK(after(steps_to(state)) == state);
}

TEST_CASE("DeliveryState.ItsStepsCanBeReadHoweverManyEventsAreSettled") {
  DeliveryState state;
  for (std::uint64_t i = 1; i <= kDeliveryPositionsMax + 1; ++i) state.settled.insert(state.settled.end(), Position{i});
  DeliveryState again;
  for (const DeliveryStep& step : steps_to(state)) {
    std::string bytes;
    append_step(bytes, step);
    std::string_view rest = bytes;
    const auto read = take_step(rest);
    REQUIRE(read);
    REQUIRE(apply_step(again, *read));
  }
  CHECK(again == state);
}

TEST_CASE("DeliveryState.WhatDoesNotFitChangesNothing") {
  const DeliveryState state = after(sample_steps());
  for (const DeliveryStep& step : std::vector<DeliveryStep>{
           DeliveryBegun{1, Position{50}, {}}, BatchDecided{BatchNumber{9}, at({40})},
           BatchDecided{BatchNumber{10}, at({41, 40})}, BatchDecided{BatchNumber{10}, {}},
           BatchDecided{BatchNumber{10}, at({40, 41}), BatchPlace::Held, "a"}, BatchHeld{BatchNumber{4}, "a"},
           BatchFailed{BatchNumber{7}, 1, {}}, BatchSettled{BatchNumber{4}, at({11})},
           BatchSettled{BatchNumber{7}, at({10})}, BatchDissolved{BatchNumber{7}}, AggregateReleased{"none"},
           DeadLetterRemoved{Position{2}}, DeliveryAdvanced{Position{9}, {}}}) {
    DeliveryState changed = state;
    CHECK_FALSE(apply_step(changed, step));
    CHECK(changed == state);
  }
}

}  // namespace stele
