// A receiver that is away, then there but out of order, then back.

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/listen_process.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

TEST_CASE("ReturningReceiver.GetsEverythingInOrderOnceItIsBack") {
  const int port = free_port();
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const HttpResponse made = client.post(
      "/v1/events/subscribe", R"({"eventTypes":["Late"],"delivery":{"type":"webhook","url":"http://127.0.0.1:)" +
                                  std::to_string(port) +
                                  R"(/"},"retry":{"maxAttempts":50,"initialDelayMs":100,"maxDelayMs":200}})");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  const std::string path = "/v1/subscriptions/" + Json(made.body).text("/subscriptionId");
  const auto shown = [&] { return get_json(client, path); };
  const auto append_late = [&](int events) {
    std::string list = "[";
    for (int i = 0; i < events; ++i) list += (i == 0 ? "" : ",") + event_json("late/" + std::to_string(i % 3), "Late");
    append(client, list + "]");
  };

  append_late(15);
  CHECK(eventually([&] { return shown().at("/breakerOpen").minified() == "true"; }));
  CHECK(shown().text("/lastError/error") == "connect-failed");
  {
    ListenProcess busy({"--status", "503"}, {}, port);
    CHECK(eventually([&] {
      const Json now = shown();
      return now.text("/lastError/error") != "connect-failed" && now.number("/lastError/status") == 503;
    }));
    append_late(15);
    (void)busy.end();
  }
  CHECK(shown().text("/state") == "active");
  CHECK(shown().number("/delivered") == 0);

  ListenProcess back({"--json"}, {}, port);
  back.wait_for("\"Late\"", 30);
  CHECK(eventually([&] { return shown().number("/delivered") == 30; }));
  // Aggregates that failed are held until it is seen that they have no more.
  CHECK(eventually([&] { return shown().number("/heldBack") == 0; }));
  const Json after = shown();
  CHECK(after.text("/state") == "active");
  CHECK(after.is_null("/reason"));
  CHECK(after.at("/breakerOpen").minified() == "false");
  CHECK(after.number("/deadLetters") == 0);
  CHECK(after.number("/heldBack") == 0);
  CHECK(after.number("/lag/events") == 0);
  std::map<std::string, std::uint64_t> last;
  for (const std::string& line : back.end()) {
    const Json taken(line);
    CHECK(taken.number("/event/sequenceNumber") == ++last[taken.text("/event/aggregateId")]);
  }
  CHECK(last == std::map<std::string, std::uint64_t>{{"late/0", 10}, {"late/1", 10}, {"late/2", 10}});
}

}  // namespace stele::tests
