// States that are kept beside this process, and redactions.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/json/timestamp.h"
#include "api/replay/layered_state_cache.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kStatesJson{{"Content-Type", "application/json"}};

/// Keeps what was put, and lets go of it as the test says.
class FakeSharedStates final : public SharedStateCache {
 public:
  [[nodiscard]] std::shared_ptr<const CachedState> find(std::string_view aggregate_id, const Digest& handler) override {
    if (on_find) on_find();
    const std::lock_guard lock(mutex_);
    const auto found = states_.find({std::string(aggregate_id), handler});
    return found == states_.end() ? nullptr : found->second;
  }
  bool put(std::string_view aggregate_id, const Digest& handler, std::shared_ptr<const CachedState> state) override {
    const std::lock_guard lock(mutex_);
    states_[{std::string(aggregate_id), handler}] = std::move(state);
    return true;
  }
  [[nodiscard]] Metrics metrics() const override { return {}; }
  [[nodiscard]] Forgotten forget(std::string_view, std::span<const Digest>) override {
    ++asked;
    return answers ? Forgotten::Yes : Forgotten::NotYet;
  }
  [[nodiscard]] std::chrono::milliseconds time_to_live() const override { return std::chrono::hours{1}; }
  [[nodiscard]] bool has(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return std::any_of(states_.begin(), states_.end(),
                       [&](const auto& each) { return each.second->state.json.find(text) != std::string::npos; });
  }

  std::function<void()> on_find;
  std::atomic<bool> answers{true};
  std::atomic<int> asked{0};

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, Digest>, std::shared_ptr<const CachedState>> states_;
};

std::string append_known(TestService& service, const std::string& data) {
  const Answer stored = service.post(event("a", data));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  return stored.text("/eventId");
}

std::string ask_for(TestService& service, const std::string& id) {
  const Answer asked = service.send(Method::Post, "/v1/events/" + id + "/redact", R"({"reason":"r"})", kStatesJson);
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  return asked.header("Location");
}

}  // namespace

namespace {

void wait_completed(TestService& service, const std::string& location) {
  Answer status;
  const bool is_completed = eventually([&] {
    status = service.get(location);
    return status.text("/state") == "completed";
  });
  REQUIRE_MESSAGE(is_completed, status.body);
}

}  // namespace

TEST_CASE("RedactionStates.OnesThatCannotBeDeletedAreWaitedForUntilTheyEnd") {
  stele::test::FakeClock clock;
  clock.wall = system_clock().now().micros;
  FakeSharedStates shared;
  shared.answers = false;
  ServiceOptions options;
  options.clock = &clock;
  options.shared_states = &shared;
  TestService service(options);
  const std::string location = ask_for(service, append_known(service, R"({"n":1})"));
  wait_until([&] { return service.get(location).text("/state") == "waiting"; });
  const Answer waiting = service.get(location);
  const std::int64_t ends = parse_timestamp(waiting.text("/requestedAt"), FinerTimes::Refuse)->micros + 3'600'000'000;
  const std::string until = format_timestamp(Timestamp{ends});
  CHECK(waiting.text("/waitingFor/0") == "Redis does not answer; what it may have ends " + until);
  CHECK(waiting.text("/outOfReach/3/copy") == "redis");
  CHECK(waiting.text("/outOfReach/3/until") == until);
  // Not a moment before.
  clock.wall = ends - 1;
  const int asked = shared.asked;
  wait_until([&] { return shared.asked >= asked + 2; });
  CHECK(service.get(location).text("/state") == "waiting");
  clock.wall = ends;
  wait_completed(service, location);
  CHECK(service.get(location).text("/outOfReach/3/until") == until);
}

// Whoever else may have put it there: no state counts that was folded before a redaction of the aggregate.
TEST_CASE("RedactionStates.OneFromBeforeIsNotBelieved") {
  FakeSharedStates shared;
  ServiceOptions options;
  options.shared_states = &shared;
  options.replay.state_cache_bytes_max = 0;
  TestService service(options);
  append_known(service, R"({"open":1})");
  const std::string id = append_known(service, R"({"secret":"nobody shall know"})");
  append_known(service, R"({"open":2})");
  const auto state = [&] { return service.get("/v1/aggregates/a/state"); };
  CHECK(state().at("/state/secret") == R"("nobody shall know")");
  REQUIRE(shared.has("nobody shall know"));
  for (int redactions = 0; redactions < 2; ++redactions) {
    const std::string location = ask_for(service, id);
    CHECK(state().at("/state/open") == "2");
    wait_completed(service, location);
    // It says that it has forgotten, and has not.
    const Answer anew = state();
    CHECK(anew.at("/state/secret") == "none");
    CHECK(anew.at("/eventsRedacted") == "1");
  }
  // What is kept from here on is.
  CHECK_FALSE(shared.has("nobody shall know"));
  CHECK(shared.has(R"("open":2)"));
}

TEST_CASE("RedactionStates.OneThatComesWhileItsAggregateIsRedactedIsNotKeptNear") {
  TestService service;
  append_known(service, R"({"n":1})");
  Record record;
  const auto found = service.store().view()->aggregate("a");
  REQUIRE((found && *found));
  REQUIRE(service.store().view()->read((*found)->last_position, record));
  auto state = std::make_shared<CachedState>();
  state->state.json = R"({"n":1})";
  state->state.sequence = record.header().sequence;
  state->state.position = record.header().position;
  state->state.time = record.header().time;
  FakeSharedStates far;
  const Digest handler{};
  far.put("a", handler, state);
  RedactionNotes notes;
  MemoryStateCache near(1U << 20);
  LayeredStateCache both(
      near, &far, [&] { return service.store().view(); }, &notes);
  far.on_find = [&] { notes.requested_of_record(record.header().position, "a", {Position{9}, Timestamp{1}}); };
  CHECK(both.find("a", handler) != nullptr);
  CHECK(near.metrics().entries == 0);
  far.on_find = [&] { notes.completed("a"); };
  CHECK(both.find("a", handler) != nullptr);
  CHECK(near.metrics().entries == 0);
  far.on_find = nullptr;
  CHECK(both.find("a", handler) != nullptr);
  CHECK(near.metrics().entries == 1);
}
