// What becomes of deliveries when the disk fails, or loses what it was not made to keep: nothing is dropped, all of it
// can be seen, and the log goes on.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/subscriptions/delivery_threads.h"
#include "api/subscriptions/subscription_event.h"
#include "api/subscriptions/subscription_log.h"
#include "engine/base/uuid.h"
#include "engine/log/log_folder.h"
#include "tests/api/room_fixture.h"
#include "tests/support/failing_folder.h"
#include "tests/support/fake_clock.h"
#include "tests/support/gated_file_system.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using stele::test::FailingFolder;
using Failing = FailingFolder::Failing;

/// Over a disk of which one folder can fail, and which can lose what was not synced.
struct FailingRoom {
  explicit FailingRoom(const std::string& folder = "/deliveries/") : files(disk, folder) {}

  /// Power is lost, and then all is well.
  void crash() {
    disk.cut_power();
    (void)fixture.give_up();
    disk.crash();
    files.fail(Failing::Nothing);
    fixture.open();
  }
  void flush() {
    const auto journal = fixture.store().deliveries();
    REQUIRE(journal);
    REQUIRE((*journal)->flush());
  }
  [[nodiscard]] bool has_warning() {
    const auto warnings = fixture.store().health().warnings;
    return std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
      return warning.starts_with("how far deliveries have come cannot be kept");
    });
  }
  [[nodiscard]] std::string last_error(const std::string& id) {
    const auto error = fixture.status(id).last_error;
    return error ? error->error : std::string();
  }
  /// The next that is sent, which is to be this.
  TestSender::Sent expect(const std::string& outline) {
    auto sent = fixture.sender.next();
    CHECK(sent.outline() == outline);
    return sent;
  }

  SimulatedFileSystem disk{1};
  FailingFolder files;
  RoomFixture fixture{nullptr, nullptr, &files};
};

/// Each event is attempted once.
SubscribeRequest once(OnDeadLetter on_dead_letter = OnDeadLetter::Skip) {
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  request.definition.on_dead_letter = on_dead_letter;
  return request;
}

std::vector<ListedDeadLetter> letters_of(RoomFixture& fixture, const std::string& id) {
  return fixture.room().dead_letters(id, Position{0}, 1'000);
}

/// What the room shows of them can be ahead of what it has told the journal.
void flush_letters(FailingRoom& room, const std::string& id) {
  const auto shown = letters_of(room.fixture, id);
  const auto journal = room.fixture.store().deliveries();
  REQUIRE(journal);
  const auto has_them = [&](const auto& entry) {
    const auto& letters = entry.second.dead_letters;
    return letters.size() == shown.size() && std::all_of(shown.begin(), shown.end(), [&](const auto& one) {
             const auto found = letters.find(one.position);
             return found != letters.end() && found->second == one.letter;
           });
  };
  wait_until([&] {
    const auto states = (*journal)->states();
    return std::any_of(states.begin(), states.end(), has_them);
  });
  room.flush();
}

/// Waits until the log was told of so many dead letters, and that so many are none any more: in one event or several.
void await_told(RoomFixture& fixture, std::size_t added, std::size_t removed) {
  wait_until([&] {
    EventQuery query;
    query.event_types = {std::string(subscription_event::kDeadLetters)};
    query.include_system = true;
    const auto view = fixture.store().view();
    const auto events = view->query(query);
    REQUIRE(events);
    std::size_t told_added = 0, told_removed = 0;
    for (Record record;;) {
      const auto more = (*events)->next(record);
      REQUIRE(more);
      if (!*more) return told_added >= added && told_removed >= removed;
      const auto told = parse_subscription_event(record);
      REQUIRE(told);
      told_added += told->added.size();
      told_removed += told->removed.size();
    }
  });
}

void redrive_letters(RoomFixture& fixture, const std::string& id, bool dry_run = false) {
  const auto redriven = fixture.room().redrive(id, {}, 0, dry_run, [] { return false; });
  REQUIRE(slug_of(redriven).empty());
  CHECK(std::get<SubscriptionRoom::Redriven>(redriven).positions.size() == letters_of(fixture, id).size());
}

/// Appends more than a segment holds.
void fill_a_segment(RoomFixture& fixture) {
  for (int i = 0; i < 6; ++i) {
    Proposal proposal;
    RecordDraft& draft = proposal.events.emplace_back();
    draft.event_id = make_uuid_v7(system_clock());
    draft.aggregate_id = "old";
    draft.event_type = "T";
    draft.data = '"' + std::string(900'000, 'x') + '"';
    draft.seal();
    REQUIRE(fixture.store().append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
}

/// Whatever becomes of a test, nothing hangs when it ends.
struct Opening {
  stele::test::ReadGate& gate;
  ~Opening() { gate.open(); }
};

/// As /metrics has it.
std::uint64_t counted_letters(RoomFixture& fixture) {
  for (const SubjectMetric& metric : fixture.room().report().metrics) {
    if (metric.name == std::string_view("stele_dead_letters")) return metric.samples.at(0).second;
  }
  FAIL("no such metric");
  return 0;
}

}  // namespace

TEST_CASE("SubscriptionRoom.Disk.WhatCannotBeKeptIsNotAttemptedAndGoesOnWhenItCan") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  room.expect("a:1").answer(200);
  fixture.wait_done(id);
  room.flush();
  CHECK_FALSE(room.has_warning());
  Failing failing{};
  SUBCASE("writes fail") { failing = Failing::Writes; }
  SUBCASE("syncs fail") { failing = Failing::Syncs; }
  SUBCASE("the disk is full") { failing = Failing::Space; }
  SUBCASE("no file can be made") { failing = Failing::NewFiles; }
  for (const bool restarts : {false, true}) {
    CAPTURE(restarts);
    const std::string round = restarts ? "after" : "before";
    room.files.fail(failing);
    fixture.append(round + "-b");
    fixture.append(round + "-b");
    fixture.append(round + "-c");
    wait_until([&] { return room.has_warning() && room.last_error(id) == "state-unwritable"; });
    CHECK(fixture.sender.waiting() == 0);
    CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
    CHECK(fixture.status(id).lag_events >= 3);
    CHECK(fixture.store().health().writable);
    if (restarts) {
      room.crash();
    } else {
      room.files.fail(Failing::Nothing);
    }
    std::set<std::string> left{round + "-b:1", round + "-b:2", round + "-c:1"};
    while (!left.empty()) {
      auto sent = fixture.sender.next();
      CAPTURE(sent.outline());
      if (sent.outline() == round + "-b:2") CHECK_FALSE(left.contains(round + "-b:1"));
      CHECK(left.erase(sent.outline()) == 1);
      sent.answer(200);
    }
    fixture.wait_done(id);
    room.flush();
    CHECK_FALSE(room.has_warning());
    CHECK(fixture.sender.waiting() == 0);
  }
}

TEST_CASE("SubscriptionRoom.Disk.AnAnswerThatCouldNotBeKeptMeansTheSameDeliveryAgain") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  auto sent = room.expect("a:1");
  const std::string number = sent.id();
  room.files.fail(Failing::Syncs);
  sent.answer(200);
  fixture.wait_done(id);
  room.crash();
  sent = room.expect("a:1");
  CHECK(sent.id() == number);
  sent.answer(200);
  fixture.wait_done(id);
}

TEST_CASE("SubscriptionRoom.Disk.OneThatIsMadeMeanwhileMissesNothing") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  room.files.fail(Failing::NewFiles);
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  wait_until([&] { return room.last_error(id) == "state-unwritable"; });
  CHECK(fixture.sender.waiting() == 0);
  room.crash();
  room.expect("a:1").answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).generation == 2);
}

TEST_CASE("SubscriptionRoom.Disk.ASeekThatTheFilesDoNotKnowHoldsAllTheSame") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(once());
  std::set<std::string> numbers;
  fixture.append("a");
  auto sent = room.expect("a:1");
  numbers.insert(sent.id());
  sent.answer(500);
  fixture.append("b");
  sent = room.expect("b:1");
  numbers.insert(sent.id());
  sent.answer(200);
  fixture.wait_done(id);
  flush_letters(room, id);
  const auto letters = letters_of(fixture, id);
  REQUIRE(letters.size() == 1);
  room.files.fail(Failing::Writes);
  REQUIRE(slug_of(fixture.room().pause(id, {})).empty());
  const Position begun{letters.front().position};
  const StartAt behind{StartAt::Kind::Behind, Position{begun.value() - 1}, {}};
  REQUIRE(slug_of(fixture.room().seek(id, {.from = behind}, {})).empty());
  room.crash();
  for (int start = 0; start < 2; ++start) {
    const SubscriptionStatus status = fixture.status(id);
    CHECK(status.generation == 2);
    CHECK(status.end == begun);
    CHECK(status.standing.state == SubscriptionState::Paused);
    CHECK(status.dead_letters == 1);
    room.flush();
    room.crash();
  }
  REQUIRE(slug_of(fixture.room().resume(id, {})).empty());
  std::set<std::string> left{"a:1", "b:1"};
  while (!left.empty()) {
    sent = fixture.sender.next();
    CHECK(left.erase(sent.outline()) == 1);
    CHECK(numbers.insert(sent.id()).second);
    sent.answer(200);
  }
  fixture.wait_done(id);
  CHECK(fixture.status(id).dead_letters == 0);
}

TEST_CASE("SubscriptionRoom.Disk.AChangeThatTheFilesDoNotKnowHoldsAllTheSame") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a", "T");
  (void)room.expect("a:1");  // its batch was decided, and is never answered
  room.files.fail(Failing::Writes);
  ChangeRequest change;
  change.definition = fixture.status(id).definition;
  change.definition.event_types = {"U"};
  REQUIRE(slug_of(fixture.room().change(id, std::move(change), {})).empty());
  fixture.append("b", "U");
  room.crash();
  room.expect("b:1").answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).generation == 1);
  CHECK(fixture.sender.waiting() == 0);
}

TEST_CASE("SubscriptionRoom.Disk.AReplacementHasTheDeadLettersOfTheOtherWhateverTheFilesKnow") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string old = fixture.subscribe(once());
  for (const char* aggregate : {"a", "b"}) {
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
  }
  fixture.wait_done(old);
  auto letters = letters_of(fixture, old);
  REQUIRE(letters.size() == 2);
  SUBCASE("which the log was told of") {
    await_told(fixture, 1, 0);
    REQUIRE(slug_of(fixture.room().drop(old, letters.back().position)).empty());
    letters.pop_back();
    await_told(fixture, 2, 1);
  }
  SUBCASE("which only the files know") {}
  flush_letters(room, old);
  SubscribeRequest request = once();
  request.replaces = old;
  SUBCASE("if they are well") {}
  SUBCASE("if they fail as it is made") { room.files.fail(Failing::Writes); }
  const std::string id = fixture.subscribe(std::move(request));
  CHECK(letters_of(fixture, id).size() == letters.size());
  for (int start = 0; start < 2; ++start) {
    room.crash();
    const auto found = letters_of(fixture, id);
    REQUIRE(found.size() == letters.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].position == letters[i].position);
      CHECK(found[i].letter == letters[i].letter);
    }
    CHECK(counted_letters(fixture) == letters.size());
  }
}

TEST_CASE("SubscriptionRoom.Disk.ALogThatCannotBeReadIsSaidAndSkipsNothing") {
  FailingRoom room("/log/");
  RoomFixture& fixture = room.fixture;
  SUBCASE("by its follower") {
    const std::string id = fixture.subscribe(RoomFixture::webhook());
    room.files.fail(Failing::Reads);
    fixture.append("a");
    fixture.append("b");
    wait_until([&] { return room.last_error(id) == "log-unreadable"; });
    CHECK(fixture.sender.waiting() == 0);
    CHECK(fixture.status(id).standing.state == SubscriptionState::Active);
    CHECK(fixture.status(id).failures == 0);
    room.files.fail(Failing::Nothing);
    std::set<std::string> left{"a:1", "b:1"};
    while (!left.empty()) {
      auto sent = fixture.sender.next();
      CHECK(left.erase(sent.outline()) == 1);
      sent.answer(200);
    }
    fixture.wait_done(id);
  }
  SUBCASE("when an event is to be sent") {
    SubscribeRequest request = RoomFixture::webhook();
    request.definition.attempts_max = 2;
    const std::string id = fixture.subscribe(std::move(request));
    fixture.append("a");
    auto sent = room.expect("a:1");
    room.files.fail(Failing::Reads);
    sent.answer(500);
    wait_until([&] { return fixture.status(id).dead_letters == 1; });
    CHECK(fixture.sender.waiting() == 0);
    const auto letters = letters_of(fixture, id);
    CHECK(letters.at(0).letter.error == "log-unreadable");
    CHECK(letters.at(0).letter.status == 0);
    CHECK(fixture.room().attempts(id).back().error == "log-unreadable");
    room.files.fail(Failing::Nothing);
    redrive_letters(fixture, id);
    room.expect("a:1").answer(200);
    wait_until([&] { return fixture.status(id).dead_letters == 0; });
  }
  SUBCASE("where a held aggregate goes on") {
    SubscribeRequest request = RoomFixture::webhook();
    const std::string id = fixture.subscribe(std::move(request));
    fixture.append("a");
    auto sent = room.expect("a:1");
    sent.answer(500);
    sent = room.expect("a:1");
    fixture.append("a");
    fixture.append("b");
    room.expect("b:1").answer(200);
    wait_until([&] { return fixture.status(id).delivered == 1; });
    REQUIRE(fixture.status(id).held_back == 1);
    room.files.fail(Failing::Reads);
    sent.answer(200);
    wait_until([&] { return room.last_error(id) == "log-unreadable"; });
    CHECK(fixture.status(id).held_back == 1);
    CHECK(fixture.status(id).failures == 1);
    room.files.fail(Failing::Nothing);
    room.expect("a:2").answer(200);
    wait_until([&] { return fixture.status(id).held_back == 0; });
  }
  SUBCASE("for whoever pulls") {
    const std::string id = fixture.subscribe(RoomFixture::pulled());
    fixture.append("a");
    const PulledBatch first = fixture.pull_events(id, 1);
    REQUIRE(first.events.size() == 1);
    fixture.append("a");
    fixture.append("b");
    // Its follower has then come past the second of `a`, which waits for the first.
    const PulledBatch other = fixture.pull_events(id, 1);
    REQUIRE(other.events.size() == 1);
    REQUIRE(other.events.front().record->header().aggregate_id == "b");
    room.files.fail(Failing::Reads);
    REQUIRE(slug_of(fixture.room().ack(id, first.lease_id, std::nullopt)).empty());
    CHECK(slug_of(fixture.pull(id, 1)) == "storage-error");
    room.files.fail(Failing::Nothing);
    const PulledBatch second = fixture.pull_events(id, 1);
    REQUIRE(second.events.size() == 1);
    CHECK(second.events.front().record->header().sequence == SequenceNumber{2});
    CHECK(second.events.front().delivery_count == 2);
  }
}

TEST_CASE("SubscriptionRoom.Disk.OneThatWaitsForItHoldsUpNoneThatIsAtTheEnd") {
  SimulatedFileSystem disk{1};
  stele::test::ReadGate gate;
  stele::test::GatedFileSystem files(disk, gate, "/log/" + segment_name(SegmentId{1}));
  RoomFixture fixture(nullptr, nullptr, &files);
  fill_a_segment(fixture);
  fixture.reopen();  // or the segment would be open by the name that it had as it was prepared
  const std::string quick = fixture.subscribe(RoomFixture::webhook());
  fixture.append("a");
  fixture.sender.next().answer(200);
  fixture.wait_done(quick);

  const Opening opening{gate};
  gate.close();
  SubscribeRequest request = RoomFixture::webhook();
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  const std::string behind = fixture.subscribe(std::move(request));
  gate.await_waiting(1);
  for (int sequence = 2; sequence <= 5; ++sequence) {
    fixture.append("a");
    auto sent = fixture.sender.next();
    CHECK(sent.id().starts_with(quick));
    CHECK(sent.outline() == "a:" + std::to_string(sequence));
    sent.answer(200);
    fixture.wait_done(quick);
  }
  CHECK(fixture.status(behind).end == Position{0});
  gate.open();
  for (int i = 0; i < 11; ++i) {
    auto sent = fixture.sender.next();
    CHECK(sent.id().starts_with(behind));
    sent.answer(200);
  }
  fixture.wait_done(behind);
}

TEST_CASE("SubscriptionRoom.Disk.ManyThatWaitForItHoldUpNoneThatTellsTheLogOfItself") {
  SimulatedFileSystem disk{1};
  stele::test::ReadGate gate;
  stele::test::GatedFileSystem files(disk, gate, "/log/" + segment_name(SegmentId{1}));
  stele::test::FakeClock clock;
  RoomFixture fixture(&clock, nullptr, &files);
  fill_a_segment(fixture);
  fixture.reopen();  // or the segment would be open by the name that it had as it was prepared
  const std::string quick = fixture.subscribe(once());

  const Opening opening{gate};
  gate.close();
  SubscribeRequest request = RoomFixture::webhook();
  request.from = StartAt{StartAt::Kind::Beginning, {}, {}};
  for (std::size_t i = 0; i < DeliveryThreads::kSlowThreads; ++i) (void)fixture.subscribe(request);
  gate.await_waiting(DeliveryThreads::kSlowThreads);
  for (std::size_t count = 1; count <= 3; ++count) {
    fixture.append("a");
    fixture.sender.next().answer(500);
    wait_until([&] { return fixture.status(quick).dead_letters == count; });
    clock.wall += 1'000'000;
    fixture.wake();
    wait_until([&] { return fixture.logged(subscription_event::kDeadLetters) == count; });
  }
}

TEST_CASE("SubscriptionRoom.Disk.AnEventIsParkedOnceHoweverOftenItFailsAndCrashesComeBetween") {
  FailingRoom room;
  RoomFixture& fixture = room.fixture;
  const std::string id = fixture.subscribe(once(OnDeadLetter::Park));
  fixture.append("a");
  room.expect("a:1").answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 1; });
  fixture.append("a");
  fixture.wait_done(id);
  const Position first = letters_of(fixture, id).at(0).position;
  const auto check_parked = [&](std::uint32_t attempts) {
    const auto letters = letters_of(fixture, id);
    REQUIRE(letters.size() == 1);
    CHECK(letters.front().position == first);
    CHECK(letters.front().letter.attempts == attempts);
    CHECK(counted_letters(fixture) == 1);
    const auto held = fixture.room().held(id, "", 10);
    REQUIRE(held.size() == 1);
    CHECK(held.front().held.parked);
    CHECK(held.front().held.from == first.next());
    CHECK(fixture.sender.waiting() == 0);
  };
  check_parked(1);
  redrive_letters(fixture, id, true);
  check_parked(1);
  redrive_letters(fixture, id);
  auto sent = room.expect("a:1");
  const std::string number = sent.id();
  room.crash();
  // What was decided is attempted again, and only that.
  sent = room.expect("a:1");
  CHECK(sent.id() == number);
  check_parked(1);
  sent.answer(503);
  wait_until([&] { return letters_of(fixture, id).at(0).letter.attempts == 2; });
  wait_until([&] { return fixture.status(id).in_flight == 0; });
  check_parked(2);
  redrive_letters(fixture, id);
  room.expect("a:1").answer(500);
  wait_until([&] { return letters_of(fixture, id).at(0).letter.attempts == 3; });
  flush_letters(room, id);
  room.crash();
  check_parked(3);
  redrive_letters(fixture, id);
  room.expect("a:1").answer(200);
  room.expect("a:2").answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 1 && letters_of(fixture, id).at(0).position != first; });
  CHECK(counted_letters(fixture) == 1);
}

TEST_CASE("SubscriptionRoom.LostFilesOfDeliveriesLoseNoDeadLetterAndLetNothingPassIt") {
  RoomFixture fixture;
  const std::string id = fixture.subscribe(once(OnDeadLetter::Park));
  for (const char* aggregate : {"a", "b"}) {
    fixture.append(aggregate);
    fixture.sender.next().answer(500);
  }
  await_told(fixture, 1, 0);
  wait_until([&] { return fixture.status(id).dead_letters == 2; });
  REQUIRE(slug_of(fixture.room().drop(id, letters_of(fixture, id).back().position)).empty());
  fixture.append("a");
  fixture.wait_done(id);
  const auto before = letters_of(fixture, id);
  REQUIRE(before.size() == 1);
  await_told(fixture, 2, 1);
  fixture.close();
  REQUIRE(std::filesystem::remove_all(fixture.folder() + "/data/deliveries") > 0);
  fixture.open();
  const auto after = letters_of(fixture, id);
  REQUIRE(after.size() == 1);
  CHECK(after.front().position == before.front().position);
  CHECK(after.front().letter == before.front().letter);
  // `b` may come again, since the log knows no better; nothing of `a` does.
  fixture.append("c");
  for (bool came = false; !came;) {
    auto sent = fixture.sender.next();
    CAPTURE(sent.outline());
    CHECK(sent.outline().front() != 'a');
    came = sent.outline() == "c:1";
    sent.answer(200);
  }
  fixture.wait_done(id);
  redrive_letters(fixture, id);
  for (const char* outline : {"a:1", "a:2"}) {
    auto sent = fixture.sender.next();
    CHECK(sent.outline() == outline);
    sent.answer(200);
  }
  wait_until([&] { return fixture.status(id).held_back == 0; });
  CHECK(fixture.status(id).dead_letters == 0);
}
