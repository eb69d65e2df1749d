// Appends while the system clock is wrong.

#include <doctest/doctest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;
using Kind = AppendOutcome::Kind;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
constexpr std::int64_t kSeventyYears = 70 * 365 * kDay;

StoreOptions options_with(SimulatedFileSystem& disk, const FakeClock& clock) {
  StoreOptions options = sample_options(disk);
  options.clock = &clock;
  return options;
}

Timestamp time_of(const Store& store, std::uint64_t position) {
  Record record;
  REQUIRE(store.view()->read(Position{position}, record));
  return record.header().time;
}

bool warns(const Store& store, std::string_view words) {
  const auto warnings = store.health().warnings;
  return std::any_of(warnings.begin(), warnings.end(),
                     [&](const auto& warning) { return warning.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("ClockJump.NoRecordCarriesTheTimeOfAClockThatIsWrong") {
  SimulatedFileSystem disk(1);
  FakeClock clock;
  auto store = Store::open(options_with(disk, clock)).value();
  append_sample(*store, 1);
  const Timestamp before = clock.now();

  clock.wall += kSeventyYears;
  const StoreHealth health = store->health();
  CHECK_FALSE(health.writable);  // also before anyone appends
  CHECK(health.reason.find("25550 days") != std::string::npos);
  CHECK(store->append_and_wait(sample_proposal(2)).kind == Kind::ClockJump);
  CHECK(store->append_and_wait(sample_proposal(1)).kind == Kind::Repeated);  // a repeat needs no time
  CHECK(store->durable_end() == Position{2});
  CHECK_FALSE(store->metrics().poisoned);

  clock.wall -= kSeventyYears;
  clock.wall += 1000;
  CHECK(store->health().writable);
  append_sample(*store, 1);
  CHECK(time_of(*store, 2) == Timestamp{before.micros + 1000});
  CHECK(store->close());
}

TEST_CASE("ClockJump.IsAcceptedIfTheOptionsSaySo") {
  SimulatedFileSystem disk(1);
  FakeClock clock;
  StoreOptions options = options_with(disk, clock);
  options.accept_clock_jumps = true;
  auto store = Store::open(options).value();
  clock.wall += 2 * kDay;
  CHECK(store->health().writable);
  append_sample(*store, 1);
  CHECK(time_of(*store, 1) == clock.now());
  CHECK(warns(*store, "jumped ahead"));
}

TEST_CASE("ClockJump.AYearSinceTheNewestRecordIsAWarningAtTheStart") {
  SimulatedFileSystem disk(1);
  FakeClock clock;
  const auto open_after = [&](std::int64_t micros) {
    clock.wall += micros;
    return Store::open(options_with(disk, clock)).value();
  };
  CHECK_FALSE(warns(*open_after(0), "newest record"));  // an empty store has no time
  CHECK_FALSE(warns(*open_after(365 * kDay), "newest record"));
  auto store = open_after(1);
  CHECK(warns(*store, "365 days ahead of the newest record"));
  CHECK(store->health().writable);
  append_sample(*store, 1);
}
