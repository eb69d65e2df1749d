// The store on a disk that drops, tears and reorders what was not synced and fails calls, against a ledger of what was
// answered. STELE_CRASH_SEEDS sets how many seeds are tried, STELE_CRASH_SEED a single one.

#include <doctest/doctest.h>

#include "tests/crash/store_trial.h"

using namespace stele;
using stele::test::Kind;
using stele::test::number_from;
using stele::test::Trial;

TEST_CASE("SimulatedDisk.NothingAcknowledgedIsLostAndNothingCutComesBack") {
  const std::uint64_t single = number_from("STELE_CRASH_SEED", 0);
  const std::uint64_t first = single != 0 ? single : 1;
  const std::uint64_t seeds = single != 0 ? 1 : number_from("STELE_CRASH_SEEDS", 300);
  std::uint64_t commits = 0, crashes = 0, events = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    CAPTURE(seed);
    Trial trial(seed);
    trial.run();
    commits += trial.commits;
    crashes += trial.crashes;
    events += trial.stored.size();
  }
  MESSAGE(seeds << " seeds, " << crashes << " crashes, " << commits << " commits, " << events
                << " events acknowledged, 0 lost");
  CHECK(events > 0);
}

TEST_CASE("SimulatedDisk.AFullDiskRefusesWholeCommitsAndHealsItself") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Trial trial(seed);
    auto store = Store::open(trial.options());
    REQUIRE(store);
    trial.disk.set_capacity(200 * 1024);  // three segments
    std::optional<AppendOutcome> refused;
    while (!refused) {
      Proposal proposal = trial.propose();
      const Proposal copy = proposal;
      const AppendOutcome outcome = (*store)->append_and_wait(std::move(proposal));
      trial.enter(Decision{copy, outcome, {}}, outcome);
      if (outcome.kind != Kind::Stored && outcome.kind != Kind::SequenceConflict) refused = outcome;
    }
    CHECK(refused->kind == Kind::DiskFull);
    CHECK(!(*store)->health().writable);
    trial.check(**store);
    trial.disk.set_capacity(std::nullopt);
    const std::size_t before = trial.stored.size();
    while (trial.stored.size() < before + 20) trial.append_some(**store);
    CHECK((*store)->health().writable);
    trial.check(**store);
  }
}

TEST_CASE("SimulatedDisk.AFailedSyncPoisonsTheStoreUntilItIsOpenedAgain") {
  for (const SimulatedCall call : {SimulatedCall::Write, SimulatedCall::Sync}) {
    Trial trial(7);
    {
      auto store = Store::open(trial.options());
      REQUIRE(store);
      while (trial.stored.empty()) trial.append_some(**store);
      trial.disk.fail_call(call, 1, SimulatedFailure::Io);
      Proposal proposal = trial.propose();
      for (RecordDraft& event : proposal.events) event.expected_sequence.reset();
      Proposal copy = proposal;
      const AppendOutcome outcome = (*store)->append_and_wait(std::move(copy));
      CHECK(outcome.kind == Kind::OutcomeUnknown);
      trial.enter(Decision{proposal, outcome, {}}, outcome);
      CHECK((*store)->append_and_wait(trial.propose()).kind == Kind::Unavailable);
      CHECK(!(*store)->health().writable);
      trial.check_readable(**store);
    }
    trial.disk.kill();
    auto store = Store::open(trial.options());
    REQUIRE(store);
    trial.settle_unknown(**store);
    trial.check(**store);
    trial.append_some(**store);
  }
}
