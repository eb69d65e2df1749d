// The journal of deliveries as a disk may bring it back.

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/deliveries/delivery_journal.h"
#include "engine/deliveries/delivery_queue.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/fake_clock.h"
#include "tests/support/simulated_file_system.h"

namespace stele {
namespace {

std::vector<std::string> seeds() {
  std::string steps;
  append_step(steps, DeliveryBegun{1, Position{4}, BatchNumber{2}});
  append_step(steps, BatchDecided{BatchNumber{3}, {Position{4}, Position{9}}});
  append_step(steps, BatchSettled{BatchNumber{3}, {Position{9}}});
  append_step(steps, BatchFailed{BatchNumber{3}, 1, Timestamp{70}});
  append_step(steps, BatchHeld{BatchNumber{3}, "mission/1"});
  append_step(steps, AggregateHeld{"mission/1", {Position{4}, 1, Timestamp{70}, false}});
  append_step(steps, DeadLetterAdded{Position{2}, {"m", 10, Timestamp{5}, "timeout", 0}});
  append_step(steps, DeliveryAdvanced{Position{5}, Timestamp{8}});
  std::string others;
  append_step(others, EventsSettled{{Position{6}}});
  append_step(others, BatchDecided{BatchNumber{1}, {Position{2}}, BatchPlace::Redrive, "m"});
  append_step(others, BatchDissolved{BatchNumber{1}});
  append_step(others, AggregateHeld{"m", {Position{3}, 0, {}, true}});
  append_step(others, AggregateReleased{"m"});
  append_step(others, DeadLetterAdded{Position{2}, {"m", 1, {}, "status", 500}});
  append_step(others, DeadLetterRemoved{Position{2}});
  return {steps, others, steps + others};
}

/// A state that a file holds leads to a queue that goes on, and to itself.
void check_state(const DeliveryState& state) {
  DeliveryState again;
  for (const DeliveryStep& step : steps_to(state)) STELE_CHECK(apply_step(again, step));
  STELE_CHECK(again == state);
  DeliveryQueue queue({}, state, 1);
  const Timestamp now{1};
  queue.examined(Position{state.end.value() < ~std::uint64_t{0} - 9 ? state.end.value() + 9 : state.end.value()}, now);
  for (int i = 0; i < 8; ++i) {
    if (const auto look = queue.next_look(now)) queue.looked(*look, queue.read_end(), std::nullopt);
    if (const auto attempt = queue.take(now)) queue.failed(attempt->number, {.error = "status"}, now);
  }
  for (const DeliveryStep& step : queue.take_steps(true)) {
    std::string bytes;
    append_step(bytes, step);
    std::string_view rest = bytes;
    STELE_CHECK(take_step(rest) && rest.empty());
  }
}

void check_file(const std::string& bytes) {
  SimulatedFileSystem disk(1);
  test::FakeClock clock;
  DeliveryJournalOptions options;
  options.file_system = &disk;
  options.clock = &clock;
  options.folder = "/deliveries";
  options.store_id = Uuid{{1}};
  options.background = false;
  STELE_CHECK(disk.create_folders(options.folder));
  auto file = disk.open(options.folder + "/0000000000000001.journal", OpenMode::CreateNew);
  STELE_CHECK(file && (*file)->write_at(ByteOffset{0}, bytes));
  const auto journal = DeliveryJournal::open(options);
  if (!journal) return;
  const auto states = (*journal)->states();
  for (const auto& [subscription, state] : states) check_state(state);
  STELE_CHECK((*journal)->close());
  const auto again = DeliveryJournal::open(options);
  STELE_CHECK(again && (*again)->states() == states);
}

/// A file with these steps, whose checksums no fuzzer guesses.
std::string file_of(std::string_view steps) {
  std::string bytes = "STELEDLV";
  put<std::uint32_t>(bytes, 1);
  put<std::uint32_t>(bytes, 0);
  bytes += as_bytes(Uuid{{1}});
  put<std::uint64_t>(bytes, 1);
  put<std::uint64_t>(bytes, xxh3(bytes));
  for (const auto& [kind, payload] : {std::pair<std::uint32_t, std::string_view>{3, ""}, {1, steps}}) {
    std::string checked;
    put<std::uint32_t>(checked, static_cast<std::uint32_t>(payload.size()));
    put<std::uint32_t>(checked, kind);
    put<std::uint64_t>(checked, 7);
    bytes += checked;
    put<std::uint64_t>(checked, 1);
    checked += payload;
    put<std::uint64_t>(bytes, xxh3(checked));
    bytes += payload;
  }
  return bytes;
}

}  // namespace

FUZZ_TARGET(delivery, seeds) {
  const fuzz::Exact exact(input);
  std::string_view rest = exact.view();
  while (const auto step = take_step(rest)) {
    std::string bytes;
    append_step(bytes, *step);
    STELE_CHECK(input.substr(0, input.size() - rest.size()).ends_with(bytes));
  }
  check_file(std::string(input));
  check_file(file_of(input));
}

}  // namespace stele
