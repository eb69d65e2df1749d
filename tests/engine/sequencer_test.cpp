#include "engine/commit/sequencer.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/support/fake_clock.h"

using namespace stele;
using stele::test::FakeClock;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<PendingCommit> commit(std::uint64_t number, std::uint64_t bytes = 1) {
  auto pending = std::make_unique<PendingCommit>();
  pending->proposal.condition.after = Position{number};  // a place to carry the number in
  pending->bytes = bytes;
  return pending;
}

std::uint64_t number_of(const PendingCommit& pending) { return pending.proposal.condition.after->value(); }

LocalSequencerOptions options(const Clock& clock) {
  return {.clock = &clock, .proposals_max = 100, .bytes_max = 1000, .group_commit_delay = 0us};
}

}  // namespace

TEST_CASE("LocalSequencer.GivesOutInTheOrderOfSubmissionWithOneStampABatch") {
  FakeClock clock;
  LocalSequencer sequencer(options(clock));
  for (std::uint64_t i = 0; i < 10; ++i) {
    auto pending = commit(i);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
    CHECK(pending == nullptr);
  }
  CHECK(sequencer.waiting() == 10);
  clock.wall = 1'234'567'890;
  Batch batch;
  REQUIRE(sequencer.take(batch, TakeMode::Idle));
  REQUIRE(batch.size() == 10);
  for (std::uint64_t i = 0; i < 10; ++i) {
    CHECK(number_of(*batch[i]) == i);
    CHECK(batch[i]->stamp == Timestamp{1'234'567'890});
  }
  CHECK(sequencer.waiting() == 0);
}

TEST_CASE("LocalSequencer.ConditionsCountAsBytes") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  auto first = commit(0, 100);
  first->condition_bytes = 500;
  REQUIRE(sequencer.submit(first) == Submitted::Yes);
  auto second = commit(1, 100);
  second->condition_bytes = 301;
  CHECK(sequencer.submit(second) == Submitted::QueueFull);
  second->condition_bytes = 300;
  CHECK(sequencer.submit(second) == Submitted::Yes);
}

TEST_CASE("LocalSequencer.RefusesBeyondTheCountAndLeavesTheCommitAlone") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  for (std::uint64_t i = 0; i < 100; ++i) {
    auto pending = commit(i);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
  }
  auto refused = commit(100);
  CHECK(sequencer.submit(refused) == Submitted::QueueFull);
  REQUIRE(refused != nullptr);
  CHECK(number_of(*refused) == 100);
  Batch batch;
  REQUIRE(sequencer.take(batch, TakeMode::Idle));
  CHECK(batch.size() == 100);
  CHECK(sequencer.submit(refused) == Submitted::Yes);
}

TEST_CASE("LocalSequencer.RefusesBeyondTheBytesButTakesOneThatIsTooBigAlone") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  auto big = commit(0, 5000);
  REQUIRE(sequencer.submit(big) == Submitted::Yes);
  auto small = commit(1, 1);
  CHECK(sequencer.submit(small) == Submitted::QueueFull);
  Batch batch;
  REQUIRE(sequencer.take(batch, TakeMode::Idle));
  batch.clear();
  auto first = commit(2, 600);
  REQUIRE(sequencer.submit(first) == Submitted::Yes);
  auto exactly = commit(3, 400);
  REQUIRE(sequencer.submit(exactly) == Submitted::Yes);
  CHECK(sequencer.submit(small) == Submitted::QueueFull);
}

TEST_CASE("LocalSequencer.CloseGivesOutWhatWasSubmittedAndThenEnds") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  auto pending = commit(1);
  REQUIRE(sequencer.submit(pending) == Submitted::Yes);
  sequencer.close();
  auto late = commit(2);
  CHECK(sequencer.submit(late) == Submitted::Closed);
  CHECK(late != nullptr);
  Batch batch;
  REQUIRE(sequencer.take(batch, TakeMode::Idle));
  CHECK(batch.size() == 1);
  batch.clear();
  CHECK_FALSE(sequencer.take(batch, TakeMode::Idle));
  CHECK_FALSE(sequencer.take(batch, TakeMode::Idle));
}

TEST_CASE("LocalSequencer.CloseWakesATakerThatWaits") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  std::thread taker([&] {
    Batch batch;
    CHECK_FALSE(sequencer.take(batch, TakeMode::Idle));
  });
  sequencer.close();
  taker.join();
}

TEST_CASE("LocalSequencer.ABusyTakerComesBackWithWhatThereIsWhenInterrupted") {
  const FakeClock clock;
  LocalSequencer sequencer(options(clock));
  Batch batch;
  SUBCASE("before it waits") {
    sequencer.interrupt();
    REQUIRE(sequencer.take(batch, TakeMode::Busy));
    CHECK(batch.empty());
  }
  SUBCASE("while it waits") {
    std::thread other([&] { sequencer.interrupt(); });
    REQUIRE(sequencer.take(batch, TakeMode::Busy));
    CHECK(batch.empty());
    other.join();
  }
  SUBCASE("with proposals") {
    auto pending = commit(1);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
    sequencer.interrupt();
    REQUIRE(sequencer.take(batch, TakeMode::Busy));
    CHECK(batch.size() == 1);
  }
  SUBCASE("an interruption counts once") {
    sequencer.interrupt();
    REQUIRE(sequencer.take(batch, TakeMode::Busy));
    auto pending = commit(1);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
    REQUIRE(sequencer.take(batch, TakeMode::Busy));
    CHECK(batch.size() == 1);
  }
  SUBCASE("or when it is closed") {
    sequencer.close();
    CHECK_FALSE(sequencer.take(batch, TakeMode::Busy));
  }
}

TEST_CASE("LocalSequencer.NothingIsLostOrDoubledUnderManySubmitters") {
  const FakeClock clock;
  LocalSequencer sequencer({.clock = &clock,
                            .proposals_max = 16,
                            .bytes_max = 1'000'000,
                            .group_commit_delay = std::chrono::microseconds(50)});
  constexpr std::uint64_t kThreads = 4, kEach = 2000;
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> running{kThreads};
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        auto pending = commit(t * kEach + i);
        while (sequencer.submit(pending) != Submitted::Yes) std::this_thread::yield();
      }
      if (running.fetch_sub(1) == 1) sequencer.close();
    });
  }
  std::vector<std::uint64_t> next(kThreads, 0);
  Batch batch;
  std::uint64_t taken = 0;
  bool in_order = true, bounded = true;
  for (TakeMode mode = TakeMode::Idle; sequencer.take(batch, mode);
       mode = mode == TakeMode::Idle ? TakeMode::Busy : TakeMode::Idle) {
    bounded = bounded && batch.size() <= 16;
    sequencer.interrupt();
    for (const auto& pending : batch) {
      const std::uint64_t number = number_of(*pending);
      in_order = in_order && next[number / kEach]++ == number % kEach;
      ++taken;
    }
    batch.clear();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(taken == kThreads * kEach);
  CHECK(in_order);
  CHECK(bounded);
}

TEST_CASE("LocalSequencer.AClockThatJumpsAheadRaisesTheAlarm") {
  FakeClock clock;
  LocalSequencer sequencer(options(clock));
  const auto take_one = [&] {
    auto pending = commit(0);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
    Batch batch;
    REQUIRE(sequencer.take(batch, TakeMode::Idle));
    return batch.front()->stamp;
  };
  (void)take_one();
  CHECK(sequencer.clock_alarm().empty());
  SUBCASE("time that passes is no jump") {
    clock.wall += 3'600'000'000;
    clock.monotonic += 3'600'000'000;
    (void)take_one();
    CHECK(sequencer.clock_alarm().empty());
  }
  SUBCASE("a small step ahead or a big one back is no alarm") {
    clock.wall += 10'000'000;
    (void)take_one();
    clock.wall -= 500'000'000;
    (void)take_one();
    CHECK(sequencer.clock_alarm().empty());
  }
  SUBCASE("more than ten seconds ahead is, and it stays") {
    clock.wall += 10'000'001;
    CHECK(take_one() == clock.now());
    CHECK(sequencer.clock_alarm().find("10 s") != std::string::npos);
    clock.monotonic += 1;
    clock.wall += 1;
    (void)take_one();
    CHECK_FALSE(sequencer.clock_alarm().empty());
  }
}

TEST_CASE("LocalSequencer.AClosedQueueIsNotAFullOne") {
  const FakeClock clock;
  LocalSequencer sequencer({.clock = &clock, .proposals_max = 1, .bytes_max = 1, .group_commit_delay = 0us});
  auto pending = commit(0);
  REQUIRE(sequencer.submit(pending) == Submitted::Yes);
  sequencer.close();
  auto late = commit(1);
  CHECK(sequencer.submit(late) == Submitted::Closed);
}

TEST_CASE("LocalSequencer.AClockMoreThanADayAheadGivesNoStamps") {
  constexpr std::int64_t kDay = 86'400'000'000;
  FakeClock clock;
  auto chosen = options(clock);
  const auto take_one = [](LocalSequencer& sequencer) {
    auto pending = commit(0);
    REQUIRE(sequencer.submit(pending) == Submitted::Yes);
    Batch batch;
    REQUIRE(sequencer.take(batch, TakeMode::Idle));
    return batch.front()->stamp;
  };
  LocalSequencer sequencer(chosen);
  SUBCASE("until it is back") {
    clock.wall += 70 * 365 * kDay;
    CHECK_FALSE(take_one(sequencer));
    CHECK(sequencer.clock_refusal().find("25550 days") != std::string::npos);
    clock.wall += 60'000'000;  // it goes on, wrongly
    clock.monotonic += 60'000'000;
    CHECK_FALSE(take_one(sequencer));
    clock.wall -= 70 * 365 * kDay;
    CHECK(sequencer.clock_refusal().empty());
    CHECK(take_one(sequencer) == clock.now());
    CHECK(sequencer.clock_alarm().empty());  // no record carries that time
  }
  SUBCASE("but time that passes, or a day, may be stamped") {
    clock.wall += 900 * kDay;  // suspended, say
    clock.monotonic += 900 * kDay;
    CHECK(take_one(sequencer) == clock.now());
    clock.wall += kDay;
    CHECK(take_one(sequencer) == clock.now());
    CHECK(sequencer.clock_refusal().empty());
    CHECK_FALSE(sequencer.clock_alarm().empty());
  }
  SUBCASE("and a clock that was set back may be set right again") {
    clock.wall -= 10 * kDay;
    CHECK(take_one(sequencer) == clock.now());
    clock.wall += 10 * kDay;
    CHECK(take_one(sequencer) == clock.now());
    clock.wall += kDay + 1;
    CHECK_FALSE(take_one(sequencer));
  }
  SUBCASE("unless jumps are accepted") {
    chosen.accept_clock_jumps = true;
    LocalSequencer trusting(chosen);
    clock.wall += 70 * 365 * kDay;
    CHECK(take_one(trusting) == clock.now());
    CHECK(trusting.clock_refusal().empty());
    CHECK_FALSE(trusting.clock_alarm().empty());
  }
}
