// An opening that is interrupted at every call, after a group was written and not synced: whatever it made of that
// group must not outlive it, and what a later opening serves must stay.

#include <doctest/doctest.h>

#include "tests/support/sample_store.h"

using namespace stele;
using namespace stele::test;
using Kind = AppendOutcome::Kind;

namespace {

constexpr std::uint64_t kBefore = 14;  // with genesis and one more the first part of the index is full
constexpr std::uint64_t kLast = kBefore + 1;

/// A store whose last group stands in the page cache alone.
void leave_unsynced_group(SimulatedFileSystem& disk, bool sync_fails) {
  {
    auto store = Store::open(sample_options(disk));
    REQUIRE(store);
    append_sample(**store, kBefore);
    if (sync_fails) {
      disk.fail_call(SimulatedCall::Sync, 1, SimulatedFailure::Io);
    } else {
      disk.cut_power_at_call(2);  // behind the write
    }
    REQUIRE((*store)->append_and_wait(sample_proposal(kLast)).kind == Kind::OutcomeUnknown);
  }
  disk.kill();
}

}  // namespace

TEST_CASE("InterruptedOpen.LosesNothingAndRefusesNothing") {
  std::uint64_t trials = 0, acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (std::uint64_t call = 1; call < 80; ++call) {
      CAPTURE(seed);
      CAPTURE(call);
      {
        SimulatedFileSystem disk(seed);
        leave_unsynced_group(disk, false);
        disk.cut_power_at_call(call);
        (void)Store::open(sample_options(disk));
        disk.crash();
        const auto store = Store::open(sample_options(disk));
        REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
      }
      SimulatedFileSystem disk(seed);
      leave_unsynced_group(disk, true);
      disk.cut_power_at_call(call);
      (void)Store::open(sample_options(disk));
      disk.kill();
      {
        auto store = Store::open(sample_options(disk));
        REQUIRE(store);
        const Kind outcome = (*store)->append_and_wait(sample_proposal(kLast)).kind;
        REQUIRE((outcome == Kind::Stored || outcome == Kind::Repeated));
        ++acknowledged;
        disk.cut_power();
      }
      disk.crash();
      const auto store = Store::open(sample_options(disk));
      REQUIRE_MESSAGE(store, (store ? "" : store.error().describe()));
      CHECK(check_sample(**store, kLast + 1).failed == 0);
      trials += 2;
    }
  }
  MESSAGE(trials << " interrupted openings, " << acknowledged << " events acknowledged afterwards, 0 lost");
}
