// Members of stored bodies are taken out of sealed segments: what stays, what is gone, and who goes on meanwhile.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "engine/base/bytes.h"
#include "engine/log/frame.h"
#include "engine/log/segment_set.h"
#include "engine/recovery/scrubber.h"
#include "engine/redaction/redaction_gate.h"
#include "engine/redaction/redactor.h"
#include "tests/support/eventually.h"
#include "tests/support/redaction_model.h"
#include "tests/support/simulated_file_system.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::test;
using stele::tests::wait_until;

namespace {

using Targets = std::vector<RedactionTarget>;

constexpr BodyMemberSet kData{1}, kMetadata{2}, kAll{7};

/// A store on a simulated disk and the model of it.
struct Redaction {
  explicit Redaction(std::uint64_t events) {
    open();
    append_secrets(*store, events);
    model.learn(*store);
  }
  void open() {
    auto opened = Store::open(options);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().describe()));
    store = std::move(*opened);
  }
  void open_again() {
    REQUIRE(store->close());
    store.reset();
    open();
  }
  RedactionCounts redact(const Targets& targets) {
    model.begin(targets);
    auto counts = store->redact(targets, {});
    REQUIRE_MESSAGE(counts, (counts ? "" : counts.error().describe()));
    CHECK(counts->readers_gone);
    model.done();
    return *counts;
  }
  /// In the open store, in one that was opened again, in one whose index was made anew, and for tools.
  void check() {
    model.check(*store);
    check_nowhere();
    open_again();
    model.check(*store);
    REQUIRE(store->close());
    store.reset();
    {
      const auto read = Store::open_read_only({.folder = "/store", .file_system = &disk});
      REQUIRE(read);
      model.check(*(*read)->view());
    }
    FileContents files;
    read_folder(disk, "/store", files);
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("/store/index/"); });
    {
      SimulatedFileSystem other(2);
      write_files(other, files);
      StoreOptions without_index = options;
      without_index.file_system = &other;
      const auto opened = Store::open(without_index);
      REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().describe()));
      model.check(**opened);
    }
    open();
    append_secrets(*store, 20);
    model.learn(*store);
    model.check(*store);
    open_again();
    model.check(*store);
  }
  void check_nowhere() {
    FileContents files;
    read_folder(disk, "/store", files);
    model.check_nowhere(files);
    for (auto& [path, contents] : files) contents = disk.durable_contents(path).value_or("");
    model.check_nowhere(files);
  }

  SimulatedFileSystem disk{1};
  StoreOptions options = sample_options(disk);
  std::unique_ptr<Store> store;
  RedactionModel model;
};

}  // namespace

TEST_CASE("Redactor.TakesMembersOutOfASealedSegment") {
  Redaction trial(120);
  REQUIRE(trial.store->metrics().log_segments > 3);
  const std::uint64_t segments = trial.store->metrics().log_segments;
  // Data alone of a record with all members, a body of two bytes, one of 10 KB, all members, one that is not there.
  const RedactionCounts counts = trial.redact({{Position{3}, kData},
                                               {Position{5}, kAll},
                                               {Position{6}, kData},
                                               {Position{8}, kAll},
                                               {Position{10}, kMetadata}});
  CHECK(counts.records == 4);
  CHECK(counts.members == 6);
  CHECK(counts.bytes > 10'000);
  CHECK(counts.unchanged == 1);
  CHECK(counts.segments == 1);
  CHECK(trial.store->metrics().log_segments == segments);
  trial.check();
}

TEST_CASE("Redactor.NothingIsLeftToGuessAShortBodyBy") {
  Redaction trial(120);
  Position of_two_bytes{1};
  std::string seed;
  {
    const auto view = trial.store->view();
    Record record;
    for (;; of_two_bytes = of_two_bytes.next()) {
      REQUIRE(view->read(of_two_bytes, record));
      if (record.bytes_of(BodyMember::Data).value_or("").size() == 2) break;
    }
    const Seed bytes = record.seed();
    seed.assign(bytes.begin(), bytes.end());
  }
  const auto holds_seed = [&] {
    FileContents files;
    read_folder(trial.disk, "/store", files);
    return std::any_of(files.begin(), files.end(),
                       [&](const auto& file) { return file.second.find(seed) != std::string::npos; });
  };
  REQUIRE(holds_seed());
  (void)trial.redact({{of_two_bytes, kAll}});
  CHECK_FALSE(holds_seed());
}

TEST_CASE("Redactor.SealsTheActiveSegmentFirst") {
  for (const std::uint64_t events : {7U, 61U, 62U, 63U, 64U}) {
    CAPTURE(events);
    Redaction trial(events);
    const std::uint64_t segments = trial.store->metrics().log_segments;
    // The newest record, and one before it.
    const RedactionCounts counts = trial.redact({{Position{events - 1}, kAll}, {Position{events}, kAll}});
    CHECK(counts.records == 2);
    CHECK(trial.store->metrics().log_segments == segments + 1);
    trial.check();
  }
}

TEST_CASE("Redactor.GoesOnWithWhatIsLeftOfARecord") {
  Redaction trial(60);
  (void)trial.redact({{Position{3}, kMetadata}, {Position{4}, kData}});
  const RedactionCounts more = trial.redact({{Position{3}, kData}, {Position{4}, kData}});
  CHECK(more.records == 1);
  CHECK(more.unchanged == 1);
  trial.check();
  const RedactionCounts rest = trial.redact({{Position{3}, kAll}, {Position{4}, kAll}});
  CHECK(rest.members == 3);
  const RedactionCounts nothing = trial.redact({{Position{3}, kAll}, {Position{4}, kAll}});
  CHECK(nothing.records == 0);
  CHECK(nothing.unchanged == 2);
  CHECK(nothing.segments == 0);
  trial.check();
}

TEST_CASE("Redactor.TakesAllOfAnAggregateOverSeveralSegments") {
  Redaction trial(300);
  Targets targets;
  auto view = trial.store->view();
  auto stream = view->query(EventQuery{.aggregate_id = "aggregate-3"});
  REQUIRE(stream);
  Record record;
  while (*(*stream)->next(record)) targets.push_back({record.header().position, kAll});
  stream->reset();
  view.reset();
  const RedactionCounts counts = trial.redact(targets);
  CHECK(counts.records == targets.size());
  CHECK(counts.segments > 3);
  trial.check();
}

TEST_CASE("Redactor.TheGenesisRecordHasNothingToLose") {
  Redaction trial(3);
  const RedactionCounts counts = trial.redact({{Position{0}, kAll}});
  CHECK(counts.unchanged == 1);
  CHECK(counts.segments == 0);
  trial.check();
}

TEST_CASE("Redactor.RefusesPositionsThatAreNotThereOrNotInOrder") {
  Redaction trial(10);
  for (const Targets& targets : {Targets{{Position{11}, kAll}}, Targets{{Position{4}, kAll}, {Position{4}, kAll}},
                                 Targets{{Position{4}, kAll}, {Position{3}, kAll}}}) {
    const auto refused = trial.store->redact(targets, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::InvalidArgument);
  }
  trial.check();
}

// Two records change by as many bytes, one up and one down: what stands behind them stays where it is, what stands
// between them does not.
TEST_CASE("Redactor.OffsetsThatMoveOnlyBetweenTwoRecordsAreFoundAnew") {
  for (const bool closed : {true, false}) {
    Redaction trial(0);
    const auto append = [&](const std::string& data) {
      Proposal proposal = sample_proposal(trial.store->durable_end().value());
      proposal.events.front().data = data;
      proposal.events.front().seal();
      REQUIRE(trial.store->append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
    };
    append("{}");                                // + 14 bytes
    append("\"" + std::string(50, 'b') + "\"");  // moves
    append("\"" + std::string(28, 'c') + "\"");  // - 14 bytes
    for (int i = 0; i < 29; ++i) append("\"" + std::string(30, 'd') + "\"");
    trial.model.learn(*trial.store);
    REQUIRE(trial.store->health().index_runs > 0);
    (void)trial.redact({{Position{1}, kAll}, {Position{3}, kAll}});
    if (!closed) append("1");
    trial.model.learn(*trial.store);
    trial.check();
  }
}

// Opening reads no record before the replay point, wherever the groups of its segment have moved.
TEST_CASE("Redactor.OpeningGoesOnBehindTheReplayPointOfARewrittenSegment") {
  Redaction trial(62);
  (void)trial.redact({{Position{1}, kAll}, {Position{60}, kAll}, {Position{62}, kAll}});
  trial.open_again();
  CHECK(trial.store->recovery().index_runs > 0);
  CHECK(trial.store->recovery().replayed < 16);
  CHECK(trial.store->recovery().notes.empty());
  trial.model.check(*trial.store);
}

// What opening does to the disk does not depend on what was redacted, nor on how much stands before the replay point.
TEST_CASE("Redactor.OpeningReadsNoMoreBecauseTheFirstSegmentWasRewritten") {
  const auto calls_of_opening = [](Redaction& trial) {
    REQUIRE(trial.store->close());
    trial.store.reset();
    const auto calls = [&] { return trial.disk.calls(SimulatedCall::Read); };
    const std::uint64_t before = calls();
    trial.open();
    const std::uint64_t opened = calls();
    CHECK(trial.store->recovery().replayed < 16);
    return opened - before;
  };
  for (const std::uint64_t events : {62, 400}) {
    for (const bool redacted : {false, true}) {
      CAPTURE(events);
      CAPTURE(redacted);
      Redaction trial(events);
      const std::uint64_t before = calls_of_opening(trial);
      if (redacted) {
        (void)trial.redact({{Position{1}, kAll}, {Position{10}, kData}, {Position{15}, kAll}});
        CHECK(calls_of_opening(trial) == before);
      }
      trial.model.check(*trial.store);
    }
  }
}

TEST_CASE("Redactor.AReaderGoesOnWithWhatItHasBegun") {
  Redaction trial(60);
  RedactionModel before = trial.model;
  auto view = trial.store->view();
  const Targets targets{{Position{3}, kAll}, {Position{59}, kAll}};
  const auto counts = trial.store->redact(targets, {.readers_wait = std::chrono::milliseconds{0}});
  REQUIRE(counts);
  CHECK(counts->records == 2);
  CHECK_FALSE(counts->readers_gone);
  before.check(*view);
  trial.model.begin(targets);
  trial.model.done();
  trial.model.check(*trial.store);
  CHECK_FALSE(trial.store->redact({}, {.readers_wait = std::chrono::milliseconds{1}})->readers_gone);
  std::thread reader([&] { view.reset(); });
  CHECK(trial.store->redact({}, {})->readers_gone);
  reader.join();
  trial.check();
}

TEST_CASE("Redactor.TheWatchEndsIt") {
  Redaction trial(120);
  const Targets targets{{Position{3}, kAll}, {Position{119}, kAll}};
  trial.model.begin(targets);
  const auto ended = trial.store->redact(
      targets, {.go_on = [](const RedactionProgress& progress) { return progress.segments_done == 0; }});
  REQUIRE_FALSE(ended);
  CHECK(ended.error().kind == ErrorKind::Closed);
  trial.model.check(*trial.store);
  Record record;
  REQUIRE(trial.store->view()->read(Position{3}, record));
  CHECK(record.any_redacted());
  REQUIRE(trial.store->view()->read(Position{119}, record));
  CHECK_FALSE(record.any_redacted());
  CHECK(trial.redact(targets).records == 1);
  trial.check();
}

TEST_CASE("Redactor.NothingIsPutInPlaceByRulesOfBefore") {
  Redaction trial(120);
  RedactionGate gate;
  const Targets targets{{Position{3}, kAll}, {Position{119}, kAll}};
  RedactionWatch watch{.gate = &gate, .rules = gate.rules()};
  bool changed = false;
  gate.change([&] { changed = true; });
  CHECK(changed);
  const auto refused = trial.store->redact(targets, watch);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Closed);
  // A change on the way ends it as well: what is behind stays.
  watch.rules = gate.rules();
  watch.go_on = [&](const RedactionProgress& progress) {
    if (progress.segments_done == 1 && gate.rules() == watch.rules) gate.change([] {});
    return true;
  };
  trial.model.begin(targets);
  const auto ended = trial.store->redact(targets, watch);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().kind == ErrorKind::Closed);
  trial.model.check(*trial.store);
  Record record;
  REQUIRE(trial.store->view()->read(Position{3}, record));
  CHECK(record.any_redacted());
  REQUIRE(trial.store->view()->read(Position{119}, record));
  CHECK_FALSE(record.any_redacted());
  CHECK(trial.redact(targets).records == 1);
  trial.check();
}

TEST_CASE("RedactionGate.PassesOnlyWhatWasChosenByTheRulesOfNow") {
  RedactionGate gate;
  int placed = 0;
  const auto place = [&]() -> Status {
    ++placed;
    return {};
  };
  const std::uint64_t before = gate.rules();
  CHECK(gate.pass(before, place));
  gate.change([] {});
  const Status late = gate.pass(before, place);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::Closed);
  CHECK(gate.pass(gate.rules(), place));
  CHECK(placed == 2);
}

TEST_CASE("Redactor.AFullDiskChangesNothing") {
  Redaction trial(60);
  const Targets targets{{Position{3}, kAll}, {Position{8}, kAll}};
  trial.model.begin(targets);
  trial.disk.set_capacity(trial.disk.used_bytes() + 4096);
  const auto full = trial.store->redact(targets, {});
  REQUIRE_FALSE(full);
  CHECK(full.error().kind == ErrorKind::DiskFull);
  const auto names = trial.disk.list("/store/log");
  REQUIRE(names);
  for (const std::string& name : *names) CHECK_FALSE(name.ends_with(".rewritten"));
  Record record;
  REQUIRE(trial.store->view()->read(Position{3}, record));
  CHECK_FALSE(record.any_redacted());
  trial.disk.set_capacity(std::nullopt);
  CHECK(trial.redact(targets).records == 2);
  trial.check();
}

TEST_CASE("Redactor.ADamagedSegmentStaysAsItIs") {
  Redaction trial(60);
  const std::string path = "/store/log/0000000000000001.seg";
  // In the header of a record that is not asked for: reading the others does not notice.
  const std::size_t at = trial.disk.live_contents(path)->find("aggregate-2");
  auto file = trial.disk.open(path, OpenMode::ReadWrite);
  REQUIRE(file);
  REQUIRE((*file)->write_at(ByteOffset{at}, "b"));
  const std::string damaged = *trial.disk.live_contents(path);
  const auto refused = trial.store->redact(Targets{{Position{3}, kAll}}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Corrupt);
  CHECK(trial.disk.live_contents(path) == damaged);
}

TEST_CASE("Redactor.ARewrittenSegmentIsNoDamageToTheScrubber") {
  SimulatedFileSystem disk(1);
  Redaction trial(200);
  (void)trial.redact({{Position{3}, kAll}, {Position{100}, kData}});
  const auto files = [&] {
    FileContents contents;
    read_folder(trial.disk, "/store", contents);
    return contents;
  }();
  write_files(disk, files);
  StoreOptions options = sample_options(disk);
  options.scrub_bytes_per_second = 1ULL << 30;
  auto store = Store::open(options);
  REQUIRE(store);
  wait_until([&] { return (*store)->health().scrub_passes > 0; });
  CHECK((*store)->health().warnings.empty());
  CHECK((*store)->metrics().log_segments_damaged == 0);
}

// Threads append, read and scrub on a real disk while others redact everything that was there before.
TEST_CASE("Redactor.ReadersAndAppendsGoOnMeanwhile") {
  const TempFolder folder;
  StoreOptions options;
  options.folder = folder.path() + "/data";
  options.segment_bytes = StoreBounds::kSegmentBytesMin;
  options.index_part_records_max = 32;
  options.scrub_bytes_per_second = 64ULL << 20;
  auto opened = Store::open(options);
  REQUIRE(opened);
  Store& store = **opened;
  append_secrets(store, 200);
  RedactionModel model;
  model.learn(store);
  Targets targets;
  for (std::uint64_t p = 1; p <= 200; p += 1 + p % 3) targets.push_back({Position{p}, p % 2 == 0 ? kAll : kData});
  model.begin(targets);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      Record record;
      while (!done.load()) {
        const auto view = store.view();
        for (Position p{0}; p < view->end(); p = p.next()) {
          if (!view->read(p, record) || record.header().position != p) ++wrong;
        }
      }
    });
  }
  std::thread appender([&] {
    while (!done.load()) {
      if (store.append_and_wait(sample_proposal(store.durable_end().value())).kind != AppendOutcome::Kind::Stored)
        ++wrong;
    }
  });
  std::uint64_t redacted = 0;
  for (const RedactionTarget& target : targets) {
    const auto counts = store.redact({&target, 1}, {});
    REQUIRE_MESSAGE(counts, (counts ? "" : counts.error().describe()));
    redacted += counts->records;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  appender.join();
  CHECK(wrong == 0);
  CHECK(redacted > 50);
  CHECK(store.redact(targets, {})->readers_gone);
  model.done();
  model.check(store);
  CHECK(store.metrics().log_segments_damaged == 0);
  REQUIRE(store.close());
  opened->reset();
  auto again = Store::open(options);
  REQUIRE(again);
  model.check(**again);
}

TEST_CASE("Redactor.NothingIsDoneOnceTheStoreIsClosed") {
  Redaction trial(20);
  REQUIRE(trial.store->close());
  const auto closed = trial.store->redact(Targets{{Position{3}, kAll}}, {});
  REQUIRE_FALSE(closed);
  CHECK(closed.error().kind == ErrorKind::Closed);
}

TEST_CASE("SegmentSet.TellsHowManyEarlierFormsAreStillRead") {
  SegmentSet set;
  const auto segment = [](std::uint64_t id, std::uint64_t first) {
    return std::make_shared<const Segment>(SegmentId{id}, Position{first}, "path", nullptr, ByteOffset{0});
  };
  set.roll(nullptr, segment(1, 0));
  auto active = set.list();
  set.roll(segment(1, 0), segment(2, 10));
  CHECK(set.list()->size() == 2);
  CHECK(set.replaced_in_use() == 0);  // the same file
  auto sealed = set.list();
  set.replace(segment(1, 0));
  CHECK(set.replaced_in_use() == 2);
  CHECK((*sealed)[0]->replaced());
  CHECK((*active)[0]->replaced());
  CHECK_FALSE((*set.list())[0]->replaced());
  active.reset();
  CHECK(set.replaced_in_use() == 1);
  sealed.reset();
  CHECK(set.replaced_in_use() == 0);
}
