#include "engine/log/log_writer.h"

#include <doctest/doctest.h>

#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;
using Kind = AppendOutcome::Kind;

TEST_CASE("Store.ANextSegmentThatCannotBeHadNowCanBeHadLater") {
  // Mappings need address space, locks and files need the kernel's memory: all of it may be there again soon.
  for (const SimulatedCall call : {SimulatedCall::Map, SimulatedCall::Lock, SimulatedCall::Open}) {
    for (const std::uint64_t nth : {1, 2}) {
      if (nth == 2 && call != SimulatedCall::Map)
        continue;  // only mappings are two: of the sealed segment and of the next
      CAPTURE(static_cast<int>(call));
      CAPTURE(nth);
      SimulatedFileSystem disk(1);
      StoreOptions options = sample_options(disk);
      options.index_part_records_max = 100'000;  // so that nothing but the log opens and maps
      auto store = Store::open(options).value();
      disk.fail_call(call, nth, SimulatedFailure::Io);
      int refused = 0;
      while (store->metrics().log_segments < 3) {
        const AppendOutcome outcome = store->append_and_wait(sample_proposal(store->durable_end().value()));
        if (outcome.kind == Kind::Stored) continue;
        REQUIRE(outcome.kind == Kind::Unavailable);
        REQUIRE(++refused == 1);
        CHECK_FALSE(store->metrics().poisoned);
        CHECK(check_sample(*store, store->durable_end().value()).failed == 0);
      }
      CHECK(refused == 1);
      const std::uint64_t events = store->durable_end().value();
      CHECK(check_sample(*store, events).failed == 0);
      REQUIRE(store->close());
      store = Store::open(options).value();
      CHECK(check_sample(*store, events).failed == 0);
    }
  }
}

TEST_CASE("Store.RollingOpensNothingOnceTheLogIsChanged") {
  SimulatedFileSystem disk(1);
  StoreOptions options = sample_options(disk);
  options.index_part_records_max = 100'000;
  auto store = Store::open(options).value();
  while (store->metrics().log_segments < 2) append_sample(*store, 1);
  const std::uint64_t opened = disk.calls(SimulatedCall::Open);
  while (store->metrics().log_segments < 4) append_sample(*store, 1);
  CHECK(disk.calls(SimulatedCall::Open) == opened + 2);  // one new segment file for each
}
