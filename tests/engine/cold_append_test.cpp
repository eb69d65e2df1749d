// Appends whose look-ups find nothing in memory.

#include <doctest/doctest.h>

#include <future>

#include "engine/store/store.h"
#include "tests/support/cold_file_system.h"
#include "tests/support/temp_folder.h"

using namespace stele;

namespace {

RecordDraft draft_of(std::string aggregate, std::string type = "T") {
  static std::uint8_t number = 0;
  RecordDraft draft;
  draft.event_id.bytes[0] = 1;
  draft.event_id.bytes[15] = ++number;
  draft.aggregate_id = std::move(aggregate);
  draft.aggregate_type = "A";
  draft.event_type = std::move(type);
  draft.data = "{}";
  draft.seal();
  return draft;
}

Proposal proposal_of(RecordDraft draft) {
  Proposal made;
  made.events.push_back(std::move(draft));
  return made;
}

/// A store whose first records are in runs of the index, opened again.
struct ColdStore {
  ColdStore() {
    open();
    for (int i = 0; i < 16; ++i) {
      REQUIRE(store->append_and_wait(proposal_of(draft_of("old-" + std::to_string(i % 4)))).kind ==
              AppendOutcome::Kind::Stored);
    }
    REQUIRE(store->close());
    open();
    files.chill();
    REQUIRE(store->health().index_runs > 0);
  }

  void open() {
    StoreOptions options;
    options.folder = folder.path() + "/data";
    options.segment_bytes = 1 << 20;
    options.index_part_records_max = 8;
    options.compaction_bytes_per_second = options.scrub_bytes_per_second = options.fill_bytes_per_second = 0;
    options.file_system = &files;
    auto opened = Store::open(options);
    if (!opened) FAIL(opened.error().describe());
    store = std::move(*opened);
  }

  /// None if it would wait.
  std::optional<AppendOutcome::Kind> at_once(Proposal made) {
    std::promise<AppendOutcome::Kind> answered;
    AppendCallback callback = [&](Decision decision) { answered.set_value(decision.outcome.kind); };
    const RecordDraft before = made.events.front();
    if (store->append_at_once(made, callback)) return answered.get_future().get();
    // Nothing has happened to either.
    CHECK(made.events.front().event_id == before.event_id);
    CHECK(made.events.front().data == before.data);
    CHECK(callback);
    return std::nullopt;
  }

  test::TempFolder folder;
  test::ColdFileSystem files;
  std::unique_ptr<Store> store;
};

constexpr auto kStored = AppendOutcome::Kind::Stored;

}  // namespace

TEST_CASE("ColdAppend.WhatIsNotInMemoryIsNotWaitedFor") {
  ColdStore cold;
  // Neither a known aggregate nor, since the filters are on the disk as well, an unknown one.
  CHECK_FALSE(cold.at_once(proposal_of(draft_of("old-1"))));
  CHECK_FALSE(cold.at_once(proposal_of(draft_of("new"))));
  CHECK_FALSE(cold.files.has_waited(std::this_thread::get_id()));
  const auto type = cold.store->aggregate_type("old-1", DiskWait::Never);
  REQUIRE_FALSE(type);
  CHECK(type.error().kind == ErrorKind::WouldWait);
  CHECK(cold.store->health().warnings.empty());  // nothing is damaged
  CHECK(cold.store->head().size == 17);
}

TEST_CASE("ColdAppend.WhatWasWaitedForOnceIsAtHandAfterwards") {
  ColdStore cold;
  Proposal made = proposal_of(draft_of("old-1"));
  CHECK(cold.store->append_and_wait(made).kind == kStored);
  CHECK(cold.files.has_waited(std::this_thread::get_id()));
  const auto type = cold.store->aggregate_type("old-2", DiskWait::Allowed);
  REQUIRE(type);
  REQUIRE(*type);
  CHECK((*type)->type == "A");
  // The pages that this needs were used just now.
  CHECK(cold.at_once(proposal_of(draft_of("old-2"))) == kStored);
}

TEST_CASE("ColdAppend.WhatIsInMemoryIsProposedAtOnce") {
  ColdStore cold;
  cold.files.warm_up();
  CHECK(cold.at_once(proposal_of(draft_of("old-1"))) == kStored);
  CHECK(cold.at_once(proposal_of(draft_of("new"))) == kStored);
  const auto none = cold.store->aggregate_type("unknown", DiskWait::Never);
  REQUIRE(none);
  CHECK_FALSE(*none);
}

TEST_CASE("ColdAppend.AConditionGoesToTheDiskOnlyIfItsRangeDoes") {
  ColdStore cold;
  cold.files.warm_up();
  const auto conditional = [](std::optional<Position> after, std::size_t values = 1) {
    Proposal made = proposal_of(draft_of("new"));
    EventMatch match;
    for (std::size_t i = 0; i < values; ++i) match.event_types.push_back("Nothing" + std::to_string(i));
    made.condition.fail_if_events_match.push_back(std::move(match));
    made.condition.after = after;
    return made;
  };
  CHECK_FALSE(cold.at_once(conditional(std::nullopt)));
  CHECK_FALSE(cold.at_once(conditional(Position{3})));
  CHECK(cold.at_once(conditional(Position{16})) == kStored);
  CHECK(cold.store->append_and_wait(conditional(std::nullopt)).kind == kStored);
  // One that is about memory only, but of many values, takes its time too.
  CHECK_FALSE(cold.at_once(conditional(Position{16}, 500)));
  CHECK(cold.store->append_and_wait(conditional(Position{16}, 500)).kind == kStored);
}
