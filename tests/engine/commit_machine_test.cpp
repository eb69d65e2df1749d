#include "engine/commit/commit_machine.h"

#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "engine/base/bytes.h"
#include "engine/commit/genesis.h"
#include "engine/log/record_extensions.h"
#include "tests/engine/test_index.h"

using namespace stele;

namespace {

using Kind = AppendOutcome::Kind;

Uuid id_of(std::uint64_t number) {
  Uuid uuid;
  for (std::size_t i = 0; i < 8; ++i) uuid.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return uuid;
}

RecordDraft event(std::uint64_t id, std::string aggregate, std::string type = "t",
                  std::optional<std::string> aggregate_type = std::nullopt) {
  RecordDraft draft;
  draft.event_id = id_of(id);
  draft.aggregate_id = std::move(aggregate);
  draft.event_type = std::move(type);
  draft.aggregate_type = std::move(aggregate_type);
  draft.data = "{}";
  draft.seed[0] = static_cast<std::uint8_t>(id);
  draft.body_digest = body_digest(draft.seed, draft.body());
  return draft;
}

RecordDraft expecting(RecordDraft draft, std::uint64_t number) {
  draft.expected_sequence = SequenceNumber{number};
  return draft;
}

template <class... Events>
Proposal proposal(Events... events) {
  Proposal made;
  (made.events.push_back(std::move(events)), ...);
  made.is_list = made.events.size() > 1;
  return made;
}

/// A machine with its index. Proposals may be resolved long before they are applied.
class Bench {
 public:
  explicit Bench(std::uint64_t part_records_max = 1000, test::IndexShape shape = test::IndexShape::Memory)
      : index_(part_records_max, shape) {
    machine_.apply_genesis(Uuid{{1}}, "stele", id_of(1'000'000), Timestamp{100}, group_);
    sync();
  }

  struct Pending {
    Proposal proposal;
    Resolution resolution;
  };

  /// Looks up what a proposer would look up now.
  Pending& submit(Proposal made) {
    auto& pending = pending_.emplace_back(std::make_unique<Pending>());
    pending->proposal = std::move(made);
    pending->resolution = test::ok(resolve(pending->proposal, index_.snapshot(), durable_));
    return *pending;
  }
  AppendOutcome apply(Pending& pending, Timestamp stamp = Timestamp{200}) {
    return machine_.apply(pending.proposal, pending.resolution, stamp, group_, duplicates);
  }
  AppendOutcome apply(Proposal made, Timestamp stamp = Timestamp{200}) { return apply(submit(std::move(made)), stamp); }

  /// Ends the group: what it holds is durable and indexed now.
  void sync() {
    if (group_.empty()) return;
    records += group_.frame.substr(kFrameBytes);
    leaves.insert(leaves.end(), group_.leaves.begin(), group_.leaves.end());
    index_.insert(group_.headers);
    machine_.group_is_indexed();
    durable_ = machine_.next();
    group_.clear();
    pending_.clear();
  }

  [[nodiscard]] const Group& group() const { return group_; }
  [[nodiscard]] const CommitMachine& machine() const { return machine_; }
  [[nodiscard]] std::shared_ptr<const IndexView> view() const { return index_.view(); }
  [[nodiscard]] IndexSet::Snapshot snapshot() const { return index_.snapshot(); }

  std::string records;
  std::vector<Digest> leaves;
  std::vector<std::optional<Position>> duplicates;

 private:
  test::TestIndex index_;
  CommitMachine machine_{Position{0}, Timestamp{}, Position{0}};
  Position durable_;
  Group group_;
  std::vector<std::unique_ptr<Pending>> pending_;
};

/// Runs `check` with what `prepare` stored in the unsynced group, in the memtable, and in immutable parts.
void wherever_it_is(const std::function<void(Bench&)>& prepare, const std::function<void(Bench&)>& check) {
  SUBCASE("in the unsynced group") {
    Bench bench;
    prepare(bench);
    check(bench);
  }
  SUBCASE("in the memtable") {
    Bench bench;
    prepare(bench);
    bench.sync();
    check(bench);
  }
  SUBCASE("in an immutable part of the index") {
    Bench bench(1);
    prepare(bench);
    bench.sync();
    REQUIRE(bench.view()->newest().first() == bench.view()->newest().end());
    check(bench);
  }
  SUBCASE("in runs of the index") {
    Bench bench(1, test::IndexShape::CompactedRuns);
    prepare(bench);
    bench.sync();
    REQUIRE(!bench.view()->runs().empty());
    check(bench);
  }
}

Condition matching(EventMatch match, std::optional<Position> after = std::nullopt) {
  Condition condition;
  condition.fail_if_events_match.push_back(std::move(match));
  condition.after = after;
  return condition;
}

}  // namespace

TEST_CASE("CommitMachine.WhatIsAttachedStandsBehindTheEventsInTheSameCommit") {
  Bench bench;
  Proposal made = proposal(event(1, "a"), event(2, "b"));
  RecordDraft action = event(3, "$audit/append", "event.append");
  action.kind = RecordKind::Action;
  action.outcome = ActionOutcome::Refused;
  made.attached = {event(4, "$schema/t", "$schema-used"), action, action};
  made.attached[2].event_id = id_of(5);
  const AppendOutcome outcome = bench.apply(made);
  REQUIRE(outcome.kind == Kind::Stored);
  CHECK(outcome.first == Position{1});
  CHECK(outcome.count == 2);
  CHECK(outcome.placed.size() == 2);
  const auto& headers = bench.group().headers;
  REQUIRE(headers.size() == 5);
  const std::pair<const char*, std::uint64_t> wanted[] = {
      {"a", 1}, {"b", 1}, {"$schema/t", 1}, {"$audit/append", 1}, {"$audit/append", 2}};
  for (std::size_t i = 0; i < headers.size(); ++i) {
    CAPTURE(i);
    CHECK(headers[i].aggregate_id == wanted[i].first);
    CHECK(headers[i].sequence.value() == wanted[i].second);
    CHECK(headers[i].commit_index == i);
    CHECK(headers[i].commit_count == 5);
    CHECK(headers[i].kind == (i < 3 ? RecordKind::Event : RecordKind::Action));
    CHECK(headers[i].outcome == (i < 3 ? ActionOutcome::Done : ActionOutcome::Refused));
  }
  CHECK(stored_header(made, outcome, 1).commit_count == 5);
  // Their numbers go on, whether their last record is unsynced or indexed; a repeat stores none of them again.
  CHECK(bench.apply(made).kind == Kind::Repeated);
  CHECK(bench.group().headers.size() == 5);
  bench.sync();
  Proposal actions_only;
  actions_only.attached = {action};
  actions_only.attached[0].event_id = id_of(6);
  const AppendOutcome noted = bench.apply(actions_only);
  CHECK(noted.kind == Kind::Stored);
  CHECK(noted.first == Position{6});
  CHECK(noted.count == 0);
  REQUIRE(bench.group().headers.size() == 1);
  CHECK(bench.group().headers[0].sequence == SequenceNumber{3});
}

TEST_CASE("CommitMachine.EventsValidatedUnderOtherSchemasAreRefused") {
  Bench bench;
  const auto under = [](RecordDraft draft, std::uint64_t schema_change) {
    Proposal made = proposal(std::move(draft));
    made.schema_change = Position{schema_change};
    return made;
  };
  REQUIRE(bench.apply(under(event(1, "a"), 0)).kind == Kind::Stored);
  REQUIRE(bench.apply(proposal(event(2, "$schema/t", "$SchemaRegistered", "$schema"))).kind == Kind::Stored);
  for (int round = 0; round < 2; ++round) {
    CAPTURE(round);
    const AppendOutcome refused = bench.apply(under(event(3, "a"), 0));
    CHECK(refused.kind == Kind::SchemaChanged);
    CHECK(refused.first == Position{2});
    bench.sync();
  }
  // What is stored already is a repeat all the same, and a change is told before a number that is not met.
  CHECK(bench.apply(under(event(1, "a"), 0)).kind == Kind::Repeated);
  CHECK(bench.apply(under(expecting(event(3, "a"), 9), 0)).kind == Kind::SchemaChanged);
  CHECK(bench.apply(proposal(event(3, "a"))).kind == Kind::Stored);  // needs no schema
  CHECK(bench.apply(under(event(4, "a"), 2)).kind == Kind::Stored);
  // Of several changes in a commit the last one counts; what only looks like one does not.
  Proposal changes = proposal(event(5, "$schema/t", "$SchemaActivated"), event(6, "$schema/u", "x", "$schema"),
                              event(7, "b", "x", "$schemas"));
  REQUIRE(bench.apply(changes).first == Position{5});
  CHECK(bench.apply(under(event(8, "a"), 5)).kind == Kind::SchemaChanged);
  CHECK(bench.apply(under(event(8, "a"), 6)).kind == Kind::Stored);
}

TEST_CASE("CommitMachine.ConditionsMeetTheStoresOwnRecordsOnlyByTheirAggregates") {
  Bench bench;
  Proposal actions;
  actions.attached = {event(1, "$audit/append", "t")};
  actions.attached[0].kind = RecordKind::Action;
  actions.attached[0].user_id = "ada";
  REQUIRE(bench.apply(actions).kind == Kind::Stored);
  const auto outcome = [&](EventMatch match) {
    Proposal made = proposal(event(2, "a"));
    made.condition.fail_if_events_match.push_back(std::move(match));
    made.condition.aggregates.push_back({"nobody", std::nullopt});  // fails, so that nothing is stored
    return bench.apply(made).conflicting;
  };
  // Unsynced, then in the index of what came after the look, then in what is looked up.
  for (int round = 0; round < 2; ++round) {
    CHECK(outcome({}).empty());
    CHECK(outcome({.event_types = {"t"}}).empty());
    CHECK(outcome({.user_ids = {"ada"}}).empty());
    CHECK(outcome({.event_types = {"t"}, .aggregate_ids = {"$audit/append"}}).empty());
    CHECK(outcome({.aggregate_ids = {"$audit/append"}}) == std::vector{Position{1}});
    bench.sync();
  }
}

TEST_CASE("CommitMachine.GenesisIsTheRecordAtPositionZero") {
  Bench bench;
  CHECK(bench.machine().next() == Position{1});
  Record record;
  std::copy(bench.records.begin(), bench.records.end(), record.prepare(bench.records.size()).data());
  REQUIRE(record.decode());
  const auto genesis = decode_genesis(record.header());
  REQUIRE(genesis);
  CHECK(genesis->origin == "stele");
  CHECK(record.leaf() == bench.leaves.front());
  CHECK(record.header().time == Timestamp{100});
}

TEST_CASE("CommitMachine.NumbersAreContiguousInEachAggregate") {
  wherever_it_is(
      [](Bench& bench) {
        const auto first = bench.apply(proposal(event(1, "a"), event(2, "b"), event(3, "a")));
        CHECK(first.kind == Kind::Stored);
        CHECK(first.first == Position{1});
        CHECK(first.count == 3);
        REQUIRE(bench.group().headers.size() == 3);
        const std::uint64_t wanted[] = {1, 1, 2};
        for (std::uint16_t i = 0; i < 3; ++i) {
          const RecordHeader& header = bench.group().headers[i];
          CHECK(header.position == Position{1U + i});
          CHECK(header.sequence == SequenceNumber{wanted[i]});
          CHECK(header.commit_index == i);
          CHECK(header.commit_count == 3);
        }
      },
      [](Bench& bench) {
        const auto next = bench.apply(proposal(event(4, "a")));
        CHECK(next.kind == Kind::Stored);
        CHECK(next.first == Position{4});
        CHECK(bench.group().headers.back().sequence == SequenceNumber{3});
      });
}

TEST_CASE("CommitMachine.ATakenIdIsReportedWithItsPlace") {
  wherever_it_is(
      [](Bench& bench) { REQUIRE(bench.apply(proposal(event(1, "a"), event(2, "b"))).kind == Kind::Stored); },
      [](Bench& bench) {
        const std::size_t before = bench.group().headers.size();
        CHECK(bench.apply(proposal(event(9, "x"), event(2, "other"))).kind == Kind::Repeated);
        REQUIRE(bench.duplicates.size() == 2);
        CHECK_FALSE(bench.duplicates[0]);
        CHECK(bench.duplicates[1] == Position{2});
        CHECK(bench.group().headers.size() == before);
        CHECK(bench.apply(proposal(event(9, "x"))).kind == Kind::Stored);
        CHECK(bench.duplicates.empty());
      });
}

TEST_CASE("CommitMachine.ChecksComeInTheirOrder") {
  wherever_it_is([](Bench& bench) { REQUIRE(bench.apply(proposal(event(1, "a", "t", "A"))).kind == Kind::Stored); },
                 [](Bench& bench) {
                   // Everything is wrong with it; with each mistake taken away the next one is named.
                   Proposal wrong = proposal(expecting(event(1, "a", "t", "B"), 7));
                   wrong.condition.aggregates.push_back({"a", SequenceNumber{0}});
                   wrong.condition.after = Position{1000};
                   CHECK(bench.apply(wrong).kind == Kind::Repeated);
                   wrong.events[0].event_id = id_of(2);
                   const auto type = bench.apply(wrong);
                   CHECK(type.kind == Kind::AggregateTypeConflict);
                   CHECK(type.stored_aggregate_type == "A");
                   wrong.events[0].aggregate_type = std::nullopt;
                   const auto beyond = bench.apply(wrong);
                   CHECK(beyond.kind == Kind::AfterBeyondHead);
                   CHECK(beyond.first == Position{2});
                   wrong.condition.after = std::nullopt;
                   const auto condition = bench.apply(wrong);
                   CHECK(condition.kind == Kind::ConditionFailed);
                   REQUIRE(condition.mismatches.size() == 1);
                   CHECK(condition.mismatches[0].aggregate_id == "a");
                   CHECK(condition.mismatches[0].current == SequenceNumber{1});
                   wrong.condition.aggregates.clear();
                   const auto expected = bench.apply(wrong);
                   CHECK(expected.kind == Kind::SequenceConflict);
                   CHECK(expected.current == SequenceNumber{1});
                   CHECK(expected.event_index == 0);
                   wrong.events[0].expected_sequence = SequenceNumber{2};
                   CHECK(bench.apply(wrong).kind == Kind::Stored);
                   CHECK(bench.group().headers.back().aggregate_type == "A");
                 });
}

TEST_CASE("CommitMachine.ARefusedCommitLeavesNothingBehind") {
  Bench bench;
  REQUIRE(bench.apply(proposal(event(1, "a", "t", "A"))).kind == Kind::Stored);
  const std::string frame = bench.group().frame;
  // The last event of each breaks it, after the others were placed.
  CHECK(bench.apply(proposal(event(2, "a"), event(3, "new"), expecting(event(4, "a"), 9))).kind ==
        Kind::SequenceConflict);
  CHECK(bench.apply(proposal(event(2, "a"), event(3, "new", "t", "N"), event(4, "a", "t", "B"))).kind ==
        Kind::AggregateTypeConflict);
  CHECK(bench.apply(proposal(event(2, "a"), event(1, "a"))).kind == Kind::Repeated);
  Proposal late = proposal(event(2, "a"), event(3, "new"));
  late.condition.aggregates.push_back({"missing", std::nullopt});
  CHECK(bench.apply(late, Timestamp{5'000'000}).kind == Kind::ConditionFailed);
  CHECK(bench.group().frame == frame);
  CHECK(bench.machine().next() == Position{2});
  // Neither ids, nor numbers, nor a type, nor time remain.
  REQUIRE(bench.apply(proposal(event(2, "a"), event(3, "new"))).kind == Kind::Stored);
  CHECK(bench.group().headers[1].sequence == SequenceNumber{2});
  CHECK(bench.group().headers[1].time == Timestamp{200});
  CHECK(bench.group().headers[2].sequence == SequenceNumber{1});
  CHECK_FALSE(bench.group().headers[2].aggregate_type);
}

TEST_CASE("CommitMachine.ExpectedNumbersCountTheEventsOfTheSameCommit") {
  Bench bench;
  CHECK(bench.apply(proposal(expecting(event(1, "a"), 1), expecting(event(2, "a"), 2), expecting(event(3, "b"), 1)))
            .kind == Kind::Stored);
  const auto conflict = bench.apply(proposal(expecting(event(4, "a"), 3), expecting(event(5, "a"), 3)));
  CHECK(conflict.kind == Kind::SequenceConflict);
  CHECK(conflict.event_index == 1);
  CHECK(conflict.current == SequenceNumber{3});
  const auto absent = bench.apply(proposal(expecting(event(4, "new"), 2)));
  CHECK(absent.kind == Kind::SequenceConflict);
  CHECK(absent.current == SequenceNumber{0});
}

TEST_CASE("CommitMachine.TheFirstEventFixesTheAggregateType") {
  wherever_it_is(
      [](Bench& bench) {
        REQUIRE(bench.apply(proposal(event(1, "typed", "t", "A"), event(2, "untyped"))).kind == Kind::Stored);
        CHECK(bench.group().headers[0].given.aggregate_type);
      },
      [](Bench& bench) {
        REQUIRE(bench.apply(proposal(event(3, "typed"))).kind == Kind::Stored);
        CHECK(bench.group().headers.back().aggregate_type == "A");
        CHECK_FALSE(bench.group().headers.back().given.aggregate_type);
        REQUIRE(bench.apply(proposal(event(4, "typed", "t", "A"))).kind == Kind::Stored);
        CHECK(bench.group().headers.back().given.aggregate_type);
        CHECK(bench.apply(proposal(event(5, "typed", "t", "B"))).kind == Kind::AggregateTypeConflict);
        // Left out by the first event: none for ever.
        const auto refused = bench.apply(proposal(event(6, "untyped", "t", "A")));
        CHECK(refused.kind == Kind::AggregateTypeConflict);
        CHECK_FALSE(refused.stored_aggregate_type);
        REQUIRE(bench.apply(proposal(event(7, "untyped"))).kind == Kind::Stored);
        CHECK_FALSE(bench.group().headers.back().aggregate_type);
      });
}

TEST_CASE("CommitMachine.TheTypeIsFixedWithinOneCommitToo") {
  Bench bench;
  const auto other = bench.apply(proposal(event(1, "a", "t", "A"), event(2, "a", "t", "B")));
  CHECK(other.kind == Kind::AggregateTypeConflict);
  CHECK(other.event_index == 1);
  CHECK(other.stored_aggregate_type == "A");
  CHECK(bench.apply(proposal(event(1, "a"), event(2, "a", "t", "B"))).kind == Kind::AggregateTypeConflict);
  REQUIRE(bench.apply(proposal(event(1, "a", "t", "A"), event(2, "a"))).kind == Kind::Stored);
  CHECK(bench.group().headers[1].aggregate_type == "A");
}

TEST_CASE("CommitMachine.ConditionsOnAggregates") {
  wherever_it_is(
      [](Bench& bench) { REQUIRE(bench.apply(proposal(event(1, "a"), event(2, "a"))).kind == Kind::Stored); },
      [](Bench& bench) {
        std::uint64_t id = 10;
        const auto outcome = [&](const char* aggregate, std::optional<SequenceNumber> last) {
          ++id;
          Proposal made = proposal(event(id, "other" + std::to_string(id)));
          made.condition.aggregates.push_back({aggregate, last});
          return bench.apply(std::move(made)).kind;
        };
        CHECK(outcome("a", SequenceNumber{2}) == Kind::Stored);
        CHECK(outcome("a", SequenceNumber{1}) == Kind::ConditionFailed);
        CHECK(outcome("a", SequenceNumber{0}) == Kind::ConditionFailed);
        CHECK(outcome("a", std::nullopt) == Kind::Stored);
        CHECK(outcome("new", SequenceNumber{0}) == Kind::Stored);
        CHECK(outcome("new", SequenceNumber{1}) == Kind::ConditionFailed);
        CHECK(outcome("new", std::nullopt) == Kind::ConditionFailed);
        // Conditions look at the state before the commit's own events; all that are broken are named.
        Proposal both = proposal(event(++id, "fresh"));
        both.condition.aggregates = {{"fresh", SequenceNumber{0}}, {"a", SequenceNumber{5}}, {"new", std::nullopt}};
        const auto failed = bench.apply(both);
        REQUIRE(failed.mismatches.size() == 2);
        CHECK(failed.mismatches[0].aggregate_id == "a");
        CHECK(failed.mismatches[0].current == SequenceNumber{2});
        CHECK(failed.mismatches[1].aggregate_id == "new");
        CHECK(failed.mismatches[1].current == SequenceNumber{0});
      });
}

TEST_CASE("CommitMachine.FailIfEventsMatchSeesEveryPlace") {
  wherever_it_is(
      [](Bench& bench) {
        RecordDraft booked = event(1, "seat", "Booked", "Seat");
        booked.user_id = "ada";
        REQUIRE(bench.apply(proposal(booked)).kind == Kind::Stored);  // position 1
      },
      [](Bench& bench) {
        std::uint64_t id = 10;
        const auto outcome = [&](EventMatch match, std::optional<Position> after = std::nullopt) {
          Proposal made = proposal(event(++id, "else", "Else"));
          made.condition = matching(std::move(match), after);
          return bench.apply(std::move(made));
        };
        const auto failed = outcome({.event_types = {"Other", "Booked"}});
        CHECK(failed.kind == Kind::ConditionFailed);
        CHECK(failed.conflicting == std::vector{Position{1}});
        CHECK(outcome({.aggregate_types = {"Seat"}}).kind == Kind::ConditionFailed);
        CHECK(outcome({.aggregate_ids = {"seat"}}).kind == Kind::ConditionFailed);
        CHECK(outcome({.user_ids = {"ada"}}).kind == Kind::ConditionFailed);
        CHECK(outcome({.event_types = {"Booked"},
                       .aggregate_types = {"Seat"},
                       .aggregate_ids = {"seat"},
                       .user_ids = {"ada"}})
                  .kind == Kind::ConditionFailed);
        CHECK(outcome({.event_types = {"Booked"}}, Position{0}).kind == Kind::ConditionFailed);
        // Only what lies behind `after` counts; every list must be met; the genesis record is no event.
        CHECK(outcome({.event_types = {"Booked"}}, Position{1}).kind == Kind::Stored);
        CHECK(outcome({.event_types = {"Booked"}, .user_ids = {"bob"}}).kind == Kind::Stored);
        CHECK(outcome({.event_types = {"$genesis"}}).kind == Kind::Stored);
        // No list at all: any event.
        CHECK(outcome({}).conflicting.front() == Position{1});
      });
}

TEST_CASE("CommitMachine.FailIfEventsMatchWantsAllTagsOfAnEntry") {
  const auto tagged = [](std::uint64_t id, std::string aggregate, std::vector<std::string> tags) {
    RecordDraft draft = event(id, std::move(aggregate), "Subscribed");
    draft.tags = std::move(tags);
    draft.seal();
    return draft;
  };
  wherever_it_is(
      [&](Bench& bench) {
        REQUIRE(bench
                    .apply(proposal(tagged(1, "a", {"course:1", "student:2"}), tagged(2, "b", {"course:1"}),
                                    tagged(3, "c", {"course:1", "student:2", "term"}), event(4, "d")))
                    .kind == Kind::Stored);
      },
      [&](Bench& bench) {
        std::uint64_t id = 10;
        const auto conflicts = [&](EventMatch match, std::optional<Position> after = std::nullopt) {
          ++id;
          Proposal made = proposal(event(id, "x" + std::to_string(id), "Other"));
          made.condition = matching(std::move(match), after);
          const auto outcome = bench.apply(std::move(made));
          CHECK((outcome.kind == Kind::Stored) == outcome.conflicting.empty());
          return outcome.conflicting;
        };
        using Positions = std::vector<Position>;
        CHECK(conflicts({.tags = {"course:1"}}) == Positions{Position{1}, Position{2}, Position{3}});
        CHECK(conflicts({.tags = {"student:2", "course:1"}}) == Positions{Position{1}, Position{3}});
        CHECK(conflicts({.tags = {"student:2", "course:1"}}, Position{1}) == Positions{Position{3}});
        CHECK(conflicts({.tags = {"term", "term"}}, Position{2}) == Positions{Position{3}});
        CHECK(conflicts({.tags = {"course:1"}}, Position{3}).empty());
        CHECK(conflicts({.tags = {"course:1", "student:3"}}).empty());
        CHECK(conflicts({.aggregate_ids = {"b", "c", "d"}, .tags = {"course:1"}}) ==
              Positions{Position{2}, Position{3}});
        CHECK(conflicts({.event_types = {"Other"}, .tags = {"course:1"}}).empty());
        CHECK(conflicts({.user_ids = {"course:1"}}).empty());
      });
}

TEST_CASE("CommitMachine.EntriesWithoutAggregateTypesMeanTheDefaultOnes") {
  wherever_it_is(
      [](Bench& bench) {
        REQUIRE(bench.apply(proposal(event(1, "seat", "Booked", "Seat"), event(2, "row", "Booked", "Row"))).kind ==
                Kind::Stored);
      },
      [](Bench& bench) {
        std::uint64_t id = 10;
        const auto conflicts = [&](std::vector<EventMatch> matches, std::vector<std::string> defaults) {
          ++id;
          Proposal made = proposal(event(id, "x" + std::to_string(id), "Other"));
          made.condition.fail_if_events_match = std::move(matches);
          made.condition.default_aggregate_types = std::move(defaults);
          return bench.apply(std::move(made)).conflicting;
        };
        using Positions = std::vector<Position>;
        CHECK(conflicts({{.event_types = {"Booked"}}}, {}) == Positions{Position{1}, Position{2}});
        CHECK(conflicts({{.event_types = {"Booked"}}}, {"Row", "None"}) == Positions{Position{2}});
        CHECK(conflicts({{.event_types = {"Booked"}}}, {"None"}).empty());
        CHECK(conflicts({{}}, {"Seat"}) == Positions{Position{1}});
        CHECK(conflicts({{.event_types = {"Booked"}}, {.aggregate_types = {"Row"}}}, {"Seat"}) ==
              Positions{Position{1}, Position{2}});
      });
}

TEST_CASE("CommitMachine.ConditionsAreMeasured") {
  Condition condition;
  CHECK(value_count(condition) == 0);
  CHECK(memory_bytes(condition) == 0);
  condition.aggregates.push_back({std::string(200, 'a'), SequenceNumber{0}});
  condition.fail_if_events_match = {{.event_types = {"a", "b"}, .user_ids = {std::string(100, 'u')}}, {}};
  condition.default_aggregate_types = {"A"};
  CHECK(value_count(condition) == 7);  // entries count as well
  CHECK(memory_bytes(condition) >= 303);
  const std::uint64_t bytes = memory_bytes(condition);
  condition.fail_if_events_match[1].tags = {std::string(100, 't'), "s"};
  CHECK(value_count(condition) == 9);
  CHECK(memory_bytes(condition) >= bytes + 101);
}

TEST_CASE("CommitMachine.FailIfEventsMatchOfAnEmptyLogIsMet") {
  Bench bench;
  Proposal made = proposal(event(1, "a"));
  made.condition = matching({});
  CHECK(bench.apply(made).kind == Kind::Stored);
}

TEST_CASE("CommitMachine.FailIfEventsMatchJoinsResolutionIndexAndOverlay") {
  for (const std::uint64_t part_records_max : {1, 2, 3, 1000}) {
    CAPTURE(part_records_max);
    Bench bench(part_records_max);
    REQUIRE(bench.apply(proposal(event(1, "a", "Hit"))).kind == Kind::Stored);  // 1: when the proposer looks
    bench.sync();
    Proposal made = proposal(event(100, "x"));
    made.condition = matching({.event_types = {"Hit"}});
    Bench::Pending early{made, test::ok(resolve(made, bench.snapshot(), bench.machine().next()))};
    Proposal behind = proposal(event(101, "y"));
    behind.condition = matching({.event_types = {"Hit"}}, Position{1});
    Bench::Pending early_behind{behind, test::ok(resolve(behind, bench.snapshot(), bench.machine().next()))};
    REQUIRE(bench.apply(proposal(event(2, "a", "Miss"), event(3, "a", "Hit"))).kind ==
            Kind::Stored);  // 2, 3: indexed since
    bench.sync();
    REQUIRE(bench.apply(proposal(event(4, "a", "Hit"))).kind == Kind::Stored);  // 4: not synced
    const auto all = bench.apply(early);
    CHECK(all.kind == Kind::ConditionFailed);
    CHECK(all.conflicting == std::vector{Position{1}, Position{3}, Position{4}});
    CHECK(bench.apply(early_behind).conflicting == std::vector{Position{3}, Position{4}});
  }
}

TEST_CASE("CommitMachine.AtMostTenConflictsTheFirstOnes") {
  for (const bool synced : {false, true}) {
    Bench bench(4);
    for (std::uint64_t i = 1; i <= 15; ++i) {
      REQUIRE(bench.apply(proposal(event(i, "a", i % 2 == 0 ? "Even" : "Odd"))).kind == Kind::Stored);
      if (synced || i == 5) bench.sync();
    }
    Proposal made = proposal(event(100, "x"));
    made.condition = matching({.event_types = {"Even"}});
    made.condition.fail_if_events_match.push_back({.event_types = {"Odd"}});
    const auto failed = bench.apply(made);
    REQUIRE(failed.conflicting.size() == 10);
    for (std::uint64_t i = 0; i < 10; ++i) CHECK(failed.conflicting[i] == Position{i + 1});
  }
}

TEST_CASE("CommitMachine.AfterMustBeInTheLog") {
  Bench bench;
  REQUIRE(bench.apply(proposal(event(1, "a"))).kind == Kind::Stored);
  const auto outcome = [&](std::uint64_t id, std::uint64_t after) {
    Proposal made = proposal(event(id, "b" + std::to_string(id)));
    made.condition = matching({.event_types = {"none"}}, Position{after});
    return bench.apply(std::move(made));
  };
  const auto beyond = outcome(2, 2);
  CHECK(beyond.kind == Kind::AfterBeyondHead);
  CHECK(beyond.first == Position{2});
  CHECK(outcome(3, UINT64_MAX).kind == Kind::AfterBeyondHead);
  CHECK(outcome(4, 1).kind == Kind::Stored);  // the unsynced record counts as in the log
}

TEST_CASE("CommitMachine.TwoProposalsInOneGroupSeeEachOther") {
  Bench bench;
  Bench::Pending& first = bench.submit(proposal(expecting(event(1, "a", "t", "A"), 1)));
  Bench::Pending& second = bench.submit(proposal(expecting(event(2, "a", "t", "A"), 1)));
  Bench::Pending& same = bench.submit(proposal(event(1, "a", "t", "A")));
  Bench::Pending& third = bench.submit(proposal(expecting(event(3, "a"), 2)));
  CHECK(bench.apply(first).kind == Kind::Stored);
  const auto conflict = bench.apply(second);
  CHECK(conflict.kind == Kind::SequenceConflict);
  CHECK(conflict.current == SequenceNumber{1});
  CHECK(bench.apply(same).kind == Kind::Repeated);
  CHECK(bench.duplicates == std::vector<std::optional<Position>>{Position{1}});
  CHECK(bench.apply(third).kind == Kind::Stored);
  CHECK(bench.group().headers.size() == 2);
  CHECK(bench.group().headers[1].aggregate_type == "A");
}

TEST_CASE("CommitMachine.TimeNeverDecreases") {
  Bench bench;  // genesis at 100
  const std::int64_t stamps[] = {50, 300, 250, -7, 301};
  const std::int64_t wanted[] = {100, 300, 300, 300, 301};
  for (std::uint64_t i = 0; i < 5; ++i) {
    REQUIRE(bench.apply(proposal(event(i + 1, "a")), Timestamp{stamps[i]}).kind == Kind::Stored);
    CHECK(bench.group().headers.back().time == Timestamp{wanted[i]});
    if (i == 1 || i == 3) bench.sync();
  }
}

TEST_CASE("CommitMachine.TheBoundOfBytesHolds") {
  Bench bench;
  REQUIRE(bench.apply(proposal(event(1, "a", "t", std::string(255, 'T')))).kind == Kind::Stored);
  bench.sync();
  Proposal made = proposal(event(2, "a"), event(3, "b", std::string(255, 't')), event(4, std::string(255, 'c')));
  made.events[1].user_id = std::string(255, 'u');
  made.events[1].correlation_id = "0192f0c4-9000-7000-8000-0000000000c0";
  made.events[1].metadata = std::string(1000, 'm');
  for (char c = 'a'; c < 'a' + 16; ++c) made.events[1].tags.emplace_back(128, c);
  made.events[1].seal();
  const std::uint64_t bound = CommitMachine::bytes_max(made);
  const std::size_t before = bench.group().frame.size();
  REQUIRE(bench.apply(made).kind == Kind::Stored);
  CHECK(bench.group().frame.size() - before <= bound);
}

TEST_CASE("CommitMachine.GroupBoundariesDoNotChangeTheRecords") {
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  // The same proposals for every run, many of them refused.
  std::mt19937_64 random(seed);
  std::vector<Proposal> proposals;
  std::vector<Timestamp> stamps;
  for (std::uint64_t i = 0; i < 400; ++i) {
    Proposal made;
    const std::uint64_t count = random() % 5 == 0 ? 1 + random() % 6 : 1;
    for (std::uint64_t k = 0; k < count; ++k) {
      const std::uint64_t id = random() % 10 == 0 ? 1 + random() % (i * 10 + 10) : i * 10 + k + 1;
      RecordDraft draft = event(id, "a" + std::to_string(random() % 12), "t" + std::to_string(random() % 4));
      if (random() % 4 == 0) draft.aggregate_type = "T" + std::to_string(random() % 2);
      if (random() % 4 == 0) draft.expected_sequence = SequenceNumber{1 + random() % 20};
      if (random() % 3 == 0) draft.user_id = "u" + std::to_string(random() % 3);
      if (random() % 3 == 0) draft.tags = {"x" + std::to_string(random() % 2), "y" + std::to_string(random() % 2)};
      draft.extensions = encode_extensions(draft.tags);
      made.events.push_back(std::move(draft));
    }
    bool distinct = true;
    for (std::size_t a = 0; a < made.events.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) distinct = distinct && made.events[a].event_id != made.events[b].event_id;
    }
    if (!distinct) continue;
    if (random() % 5 == 0)
      made.condition.aggregates.push_back({"a" + std::to_string(random() % 12), SequenceNumber{random() % 10}});
    if (random() % 4 == 0) {
      EventMatch match;
      if (random() % 3 != 0) match.event_types.push_back("t" + std::to_string(random() % 4));
      if (random() % 2 == 0) match.aggregate_ids.push_back("a" + std::to_string(random() % 12));
      if (random() % 3 == 0) match.user_ids.push_back("u" + std::to_string(random() % 3));
      if (random() % 3 == 0) match.tags = {"y" + std::to_string(random() % 2), "x" + std::to_string(random() % 2)};
      made.condition.fail_if_events_match.push_back(std::move(match));
      made.condition.after = Position{random() % (i + 5)};
    }
    proposals.push_back(std::move(made));
    stamps.push_back(Timestamp{static_cast<std::int64_t>(1000 + i + random() % 50)});
  }

  std::string records;
  std::vector<Digest> leaves;
  std::vector<AppendOutcome> outcomes;
  std::vector<std::vector<std::optional<Position>>> duplicates;
  for (int run = 0; run < 6; ++run) {
    CAPTURE(run);
    Bench bench(run % 2 == 0 ? 1000 : 5);
    for (std::size_t i = 0; i < proposals.size();) {
      // A batch is resolved as a whole before its first member is applied, and made durable in pieces.
      const std::size_t batch = run == 0 ? 1 : 1 + random() % 20;
      std::vector<Bench::Pending> waiting;
      for (std::size_t k = 0; k < batch && i + k < proposals.size(); ++k) {
        waiting.push_back({proposals[i + k], test::ok(resolve(proposals[i + k], bench.snapshot(),
                                                              Position{bench.view()->newest().end()}))});
      }
      for (Bench::Pending& pending : waiting) {
        const AppendOutcome outcome = bench.apply(pending, stamps[i]);
        if (run == 0) {
          outcomes.push_back(outcome);
          duplicates.push_back(bench.duplicates);
        } else {
          const AppendOutcome& wanted = outcomes[i];
          CHECK(outcome.kind == wanted.kind);
          CHECK(bench.duplicates == duplicates[i]);
          CHECK(outcome.first == wanted.first);
          CHECK(outcome.event_index == wanted.event_index);
          CHECK(outcome.current == wanted.current);
          CHECK(outcome.stored_aggregate_type == wanted.stored_aggregate_type);
          CHECK(outcome.conflicting == wanted.conflicting);
          CHECK(outcome.mismatches.size() == wanted.mismatches.size());
        }
        ++i;
        if (run == 0 || random() % 6 == 0) bench.sync();
      }
      bench.sync();
    }
    if (run == 0) {
      records = bench.records;
      leaves = bench.leaves;
      CHECK(leaves.size() > 50);
    } else {
      CHECK(bench.records == records);
      CHECK(bench.leaves == leaves);
    }
  }
}
