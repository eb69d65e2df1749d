// Followers with random filters, from random places, quick and slow, some of which end early, while random commits are
// appended: each gets exactly what a list with its filters gives, in order.

#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <thread>

#include "engine/live/event_hub.h"
#include "tests/support/environment.h"
#include "tests/support/follow.h"
#include "tests/support/sample_store.h"
#include "tests/support/simulated_file_system.h"

using namespace stele;
using namespace stele::test;

namespace {

class HubRandom {
 public:
  explicit HubRandom(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == 0; }
  [[nodiscard]] std::string name(const char* front, std::uint64_t count) {
    return front + std::to_string(below(count));
  }
  [[nodiscard]] std::string user() {
    return one_in(2) ? name("0192f0c4-9000-7000-8000-00000000000", 3) : name("user", 3);
  }
  [[nodiscard]] std::vector<std::string> tags(std::uint64_t most) {
    std::set<std::string> tags;
    for (std::uint64_t count = below(most + 1); count > 0; --count) tags.insert(name("tag:", 5));
    return {tags.begin(), tags.end()};
  }
  [[nodiscard]] Uuid uuid() {
    Uuid made;
    for (auto& byte : made.bytes) byte = static_cast<std::uint8_t>(engine_());
    return made;
  }

  [[nodiscard]] RecordDraft draft(bool own) {
    RecordDraft made;
    made.event_id = uuid();
    const std::uint64_t aggregate = below(12);
    made.aggregate_id = (own ? "$schema/" : "aggregate-") + std::to_string(aggregate);
    if (aggregate % 4 != 0) made.aggregate_type = "Type" + std::to_string(aggregate % 4);
    made.event_type = name("Event", 6);
    if (one_in(2)) made.user_id = user();
    if (one_in(3)) made.principal = "service";
    if (one_in(2)) made.correlation_id = name("request ", 20);
    if (one_in(3)) made.occurred_at = Timestamp{static_cast<std::int64_t>(below(1000)) * 3'600'000'000};
    made.tags = tags(3);
    made.data = "{}";
    if (own && one_in(2)) {
      made.kind = RecordKind::Action;
      made.aggregate_id = "$audit/1";
      made.aggregate_type.reset();
      made.resource = name("aggregate:aggregate-", 12);
      made.outcome = static_cast<ActionOutcome>(below(3));
    }
    made.seal();
    return made;
  }
  [[nodiscard]] Proposal proposal() {
    Proposal made;
    for (std::uint64_t count = one_in(10) ? 1 + below(40) : 1; count > 0; --count) made.events.push_back(draft(false));
    made.is_list = made.events.size() > 1;
    while (one_in(4)) made.attached.push_back(draft(true));
    return made;
  }

  [[nodiscard]] EventQuery query(std::uint64_t end) {
    EventQuery query;
    if (one_in(4)) query.aggregate_id = name("aggregate-", 12);
    for (std::uint64_t i = one_in(5) ? 1 + below(4) : 0; i > 0; --i)
      query.aggregate_ids.push_back(name("aggregate-", 12));
    if (one_in(6)) query.aggregate_type = name("Type", 4);
    for (std::uint64_t i = one_in(4) ? 1 + below(2) : 0; i > 0; --i) query.aggregate_types.push_back(name("Type", 4));
    for (std::uint64_t i = one_in(3) ? 1 + below(3) : 0; i > 0; --i) query.event_types.push_back(name("Event", 6));
    if (one_in(4)) query.tags = tags(2);
    if (one_in(6)) query.user_id = user();
    if (one_in(6)) query.correlation_id = name("request ", 20);
    if (one_in(10)) query.principal = "service";
    if (one_in(10)) query.resources.push_back(name("aggregate:aggregate-", 12));
    if (one_in(10)) query.choice = RecordChoice{one_in(2), {name("Event", 6)}};
    if (one_in(10)) query.outcome = static_cast<ActionOutcome>(below(3));
    if (one_in(8)) query.occurred_from = Timestamp{static_cast<std::int64_t>(below(1000)) * 3'600'000'000};
    if (one_in(8)) query.occurred_to = Timestamp{static_cast<std::int64_t>(below(1000)) * 3'600'000'000};
    if (one_in(8)) query.from_sequence = SequenceNumber{below(60)};
    if (one_in(8)) query.to_sequence = SequenceNumber{below(200)};
    if (one_in(2)) query.after = Position{below(end + 10)};
    if (one_in(12)) query.before = Position{below(2 * end + 10)};
    query.include_system = one_in(3);
    return query;
  }

 private:
  std::mt19937_64 engine_;
};

/// Follows on a thread of its own until it has examined everything before `goal`, which is set later.
class Follower {
 public:
  Follower(Store& store, EventHub& hub, std::uint64_t seed, const std::atomic<std::uint64_t>& goal)
      : random_(seed),
        query_(random_.query(store.durable_end().value())),
        goal_(goal),
        pause_(random_.one_in(3) ? random_.below(200) : 0),
        ends_early_after_(random_.one_in(5) ? random_.below(50) : ~0ULL),
        follower_(hub.follow(query_, [this] { bell_.ring(); })),
        thread_([this] { run(); }) {}

  void wake() { bell_.ring(); }

  void check(const Store& store) {
    thread_.join();
    CAPTURE(failure_);
    REQUIRE(failure_.empty());
    // What it has examined, or taken of it.
    query_.before = std::min(query_.before.value_or(examined_), examined_);
    std::vector<Position> wanted;
    Record record;
    const auto view = store.view();
    const auto stream = view->query(query_);
    REQUIRE(stream);
    for (;;) {
      const auto found = (*stream)->next(record);
      REQUIRE(found);
      if (!*found) break;
      wanted.push_back(record.header().position);
    }
    REQUIRE(taken_.size() == wanted.size());
    CHECK(taken_ == wanted);
  }

 private:
  using Step = EventFollower::Step;

  void run() {
    std::shared_ptr<const Record> record;
    examined_ = follower_->examined_end();
    while (taken_.size() < ends_early_after_) {
      ReadBudget budget(ReadLimits{.records = random_.one_in(2) ? 20ULL : 100'000ULL, .time = std::chrono::hours{1}});
      const auto step = follower_->next(record, &budget);
      if (!step) return fail(step.error().describe());
      const Position examined = follower_->examined_end();
      if (examined < examined_) return fail("what was examined is not any more");
      examined_ = examined;
      if (*step == Step::Over) return fail("it is over");
      if (*step == Step::Event) {
        if (examined_ <= record->header().position) return fail("what was given out is not examined");
        taken_.push_back(record->header().position);
        for (std::uint64_t i = 0; i < pause_; ++i) std::this_thread::yield();
      }
      if (*step != Step::AtHead) continue;
      const std::uint64_t goal = goal_;
      // At the head without a match to come, the hub is what goes on; `wake` tells of matches only.
      if (goal > 0 && examined_ >= Position{goal}) break;
      if (goal > 0) {
        std::this_thread::yield();
      } else if (!bell_.wait()) {
        return fail("nobody has woken it");
      }
    }
    follower_.reset();
  }
  void fail(std::string why) { failure_ = std::move(why); }

  HubRandom random_;
  EventQuery query_;
  const std::atomic<std::uint64_t>& goal_;
  const std::uint64_t pause_;
  const std::uint64_t ends_early_after_;
  WakeBell bell_;
  std::vector<Position> taken_;
  Position examined_;
  std::string failure_;
  std::unique_ptr<EventFollower> follower_;
  std::thread thread_;
};

void run_hub_model(std::uint64_t seed) {
  constexpr int kAppends = 600;
  HubRandom random(seed);
  SimulatedFileSystem disk(seed);
  StoreOptions options = sample_options(disk);
  options.index_part_records_max = 1 + random.below(200);
  auto store = Store::open(options).value();
  EventHub hub(*store, {.queue_events_max = 1 + random.below(20), .queue_bytes_max = 1000 + random.below(100'000)});
  std::atomic<std::uint64_t> goal{0};
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = 0; i < kAppends; ++i) {
    if (i % 20 == 0) followers.push_back(std::make_unique<Follower>(*store, hub, seed * 1000 + i, goal));
    const AppendOutcome outcome = store->append_and_wait(random.proposal());
    REQUIRE_MESSAGE(outcome.kind == AppendOutcome::Kind::Stored, outcome.detail);
  }
  goal = store->durable_end().value();
  for (const auto& follower : followers) follower->wake();
  for (const auto& follower : followers) follower->check(*store);
  const EventHubMetrics metrics = hub.metrics();
  CHECK(metrics.followers == 0);
  CHECK(metrics.followers_at_head == 0);
}

}  // namespace

TEST_CASE("EventHubModel.EachFollowerGetsWhatAListGivesInOrder") {
  const std::uint64_t one = number_from("STELE_MODEL_SEED", 0);
  const std::uint64_t first = one > 0 ? one : std::random_device()();
  const std::uint64_t count = one > 0 ? 1 : number_from("STELE_MODEL_SEEDS", 5);
  MESSAGE("seeds " << first << " .. " << first + count - 1);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    run_hub_model(seed);
  }
}
