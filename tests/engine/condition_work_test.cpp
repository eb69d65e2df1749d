#include <doctest/doctest.h>

#include "tests/support/sample_store.h"

using namespace stele;

TEST_CASE("Conditions.ASearchForMatchesAmongKeysThatNeverMeetIsRefusedInsteadOfEndless") {
  SimulatedFileSystem disk(1);
  StoreOptions options = test::sample_options(disk);
  options.condition_work_max = 64;
  const auto store = Store::open(options).value();
  const auto draft_of = [](std::uint64_t number, std::string type) {
    RecordDraft draft = test::sample_proposal(number).events.front();
    draft.event_type = std::move(type);
    return draft;
  };
  for (std::uint64_t i = 1; i <= 400; ++i) {
    RecordDraft draft = draft_of(i, i % 2 == 0 ? "Even" : "Odd");
    draft.user_id = i % 2 == 0 ? "even" : "odd";
    draft.seal();
    Proposal proposal;
    proposal.events.push_back(std::move(draft));
    REQUIRE(store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
  std::uint64_t asked = 0;
  const auto outcome = [&](std::string type, std::string user, std::optional<Position> after = std::nullopt) {
    Proposal proposal;
    proposal.events.push_back(draft_of(1000 + store->durable_end().value() + ++asked, "Checked"));
    proposal.events.back().seal();
    proposal.condition.fail_if_events_match.push_back(
        {.event_types = {std::move(type)}, .user_ids = {std::move(user)}});
    proposal.condition.after = after;
    return store->append_and_wait(std::move(proposal)).kind;
  };
  CHECK(outcome("Even", "odd") == AppendOutcome::Kind::ConditionTooCostly);
  CHECK(outcome("Even", "even") == AppendOutcome::Kind::ConditionFailed);
  CHECK(outcome("Nothing", "odd") == AppendOutcome::Kind::Stored);
  CHECK(outcome("Even", "odd", Position{395}) == AppendOutcome::Kind::Stored);
}
