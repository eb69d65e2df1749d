// kill -9 at the calls that a redaction makes, one after another (tests/preload/killed_at_call.cpp), and SIGTERM in the
// middle of it. After the restart it is finished: the body is nowhere, all that was proven still is, and that it is
// complete is told once.
// STELE_CALL_STRIDE sets at which of the calls.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/contract/redaction_server.h"
#include "tests/support/build_paths.h"
#include "tests/support/environment.h"
#include "tests/support/eventually.h"

namespace stele::tests {

namespace {

/// The number that the server counts down.
class CallsLeft {
 public:
  explicit CallsLeft(const std::string& path) : path_(path) {
    std::ofstream(path, std::ios::binary) << std::string(sizeof(std::int64_t), '\0');
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
    void* const place = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    REQUIRE(place != MAP_FAILED);
    number_ = static_cast<std::int64_t*>(place);
  }
  ~CallsLeft() { ::munmap(number_, sizeof(std::int64_t)); }
  CallsLeft(const CallsLeft&) = delete;

  void set(std::int64_t calls) { std::atomic_ref(*number_).store(calls); }
  [[nodiscard]] Environment environment() const {
    return {{"LD_PRELOAD", killed_at_call()}, {"KILLED_AT_CALL", path_}};
  }

 private:
  const std::string path_;
  std::int64_t* number_ = nullptr;
};

/// Events of an aggregate over some segments, all with the secret in both members, a state of a client and one of the
/// server's.
void fill_with(RedactionServer& api, const std::string& aggregate, const std::string& secret) {
  HttpClient client = api.client();
  const std::string members = R"(,"metadata":{"note":)" + json_text(secret) + "}";
  std::string events;
  for (int i = 0; i < 60; ++i) {
    const std::string data = "{\"note" + std::to_string(i) + "\":" + json_text(secret + std::string(1500, '.')) + "}";
    events += (events.empty() ? "" : ",") + event_json(aggregate, "Tested", data, members);
    if (i % 10 < 9) continue;
    const HttpResponse stored = client.post("/v1/events", "[" + events + "]");
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
    events.clear();
  }
  const HttpResponse state = client.post("/v1/events/snapshot/" + aggregate,
                                         R"({"state":{"note":)" + json_text(secret) + R"(},"sequenceNumber":7})");
  REQUIRE_MESSAGE(state.status == 201, state.body);
  REQUIRE(client.post("/v1/events/snapshot/" + aggregate, "{}").status == 201);
}

/// Until it is complete or the server has died.
void await_end(RedactionServer& api, const std::string& location) {
  REQUIRE(eventually([&] {
    if (!api.server().running()) return true;
    const HttpResponse status = api.client().get(location);
    return status.status == 200 && Json(status.body).text("/state") == "completed";
  }));
}

void check_told_once(RedactionServer& api, const std::string& location) {
  const std::string id = location.substr(location.rfind('/') + 1);
  const Json own(api.client().get("/v1/events?includeSystem=true&aggregateId=%24redaction%2F" + id).body);
  REQUIRE(own.list("/events").size() == 2);
  CHECK(own.text("/events/0/eventType") == "$RedactionRequested");
  CHECK(own.text("/events/1/eventType") == "$RedactionCompleted");
}

}  // namespace

TEST_CASE("RedactionKill.WhereverTheServerIsKilledTheBodyIsNowhereAfterTheRestart") {
  const std::uint64_t stride = stele::test::number_from("STELE_CALL_STRIDE", 4);
  const test::TempFolder folder;
  CallsLeft left(folder.file("left"));
  RedactionServer api(left.environment());
  std::vector<std::string> secrets;
  std::uint64_t kills = 0;
  std::string first_checkpoint;
  for (std::uint64_t call = 1;; call += stride) {
    CAPTURE(call);
    const std::string aggregate = "a" + std::to_string(call);
    secrets.push_back(secret_text(aggregate));
    fill_with(api, aggregate, secrets.back());
    REQUIRE(is_somewhere(api, test::forms_of(secrets.back())[1]));
    HttpClient client = api.client();
    const Json first(client.get("/v1/events?limit=1&aggregateId=" + aggregate).body);
    const std::string proof = "/v1/events/" + first.text("/events/0/eventId") + "/proof?wait=checkpoint";
    const Json proven(client.get(proof).body);
    if (first_checkpoint.empty()) first_checkpoint = proven.text("/checkpoint");

    left.set(static_cast<std::int64_t>(call));
    const HttpResponse asked = client.post("/v1/aggregates/" + aggregate + "/redact", R"({"reason":"erasure"})");
    std::optional<std::string> location;
    if (asked.status == 202) {
      location = "/v1/audit/redactions/" + Json(asked.body).text("/redactionId");
      await_end(api, *location);
    } else {
      REQUIRE_MESSAGE(asked.status == 0, asked.body);
      REQUIRE(eventually([&] { return !api.server().running(); }));  // its connections end a moment before
    }
    left.set(0);
    const bool killed = !api.server().running();
    api.kill_and_restart();
    if (!location) location = ask_redaction(api, "/v1/aggregates/" + aggregate + "/redact");
    (void)wait_completed(api, *location);
    check_told_once(api, *location);
    check_nowhere(api, {secrets.back()});

    const Json list(api.client().get("/v1/events?limit=1000&aggregateId=" + aggregate).body);
    REQUIRE(list.list("/events").size() == 60);
    for (const Json& event : list.list("/events")) {
      REQUIRE(event.at("/redacted").minified() == R"(["data","metadata"])");
      REQUIRE(event.has("/redaction/position"));
    }
    const Json now(api.client().get(proof).body);
    CHECK(now.text("/leaf/leafHash") == proven.text("/leaf/leafHash"));
    if (!killed) break;
    ++kills;
  }
  check_nowhere(api, secrets);
  MESSAGE(kills << " kills");
  CHECK(kills >= 5);

  std::ofstream(folder.file("first"), std::ios::binary) << first_checkpoint;
  HttpClient client = api.client();
  const std::string key = get_json(client, "/log/keys").text("/keys/0/vkey");
  const ProcessResult verified =
      run_stele({"verify", api.data(), "--key", key, "--since", folder.file("first"), "--json"});
  CHECK_MESSAGE(verified.exit_code == 0, verified.out, verified.err);
  CHECK(Json(verified.out).text("/verdict") == "ok");
}

TEST_CASE("RedactionKill.AServerThatIsToldToEndInTheMiddleGoesOnAfterTheRestart") {
  std::vector<std::string> slow = kSmallSegments;
  slow.insert(slow.end(), {"--compaction-rate", "1MiB"});
  RedactionServer api({}, slow);
  const std::string secret = secret_text("slowly");
  HttpClient client = api.client();
  for (int i = 0; i < 320; ++i) append_secret(api, "a", secret + std::to_string(i) + std::string(25'000, '.'));
  const std::string location = ask_redaction(api, "/v1/aggregates/a/redact");
  const auto is_gone = [&](const std::string& which) {
    return Json(client.get("/v1/events?aggregateId=a&limit=1&order=" + which).body).has("/events/0/redacted");
  };
  REQUIRE(eventually([&] { return is_gone("asc"); }));
  REQUIRE_FALSE(is_gone("desc"));
  CHECK(Json(client.get(location).body).text("/state") == "rewriting");
  api.stop_and_restart(kSmallSegments);
  const Json status = wait_completed(api, location);
  CHECK(status.number("/counts/events") < 320);  // what was left of it
  check_told_once(api, location);
  check_nowhere(api, {secret});
}

}  // namespace stele::tests
