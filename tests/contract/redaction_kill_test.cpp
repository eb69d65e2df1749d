// SIGTERM in the middle of a redaction: after the restart it is finished, and that it is complete is told once.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/contract/redaction_server.h"
#include "tests/support/process_usage.h"

namespace stele::tests {

namespace {

void check_told_once(RedactionServer& api, const std::string& location) {
  const std::string id = location.substr(location.rfind('/') + 1);
  const Json own(api.client().get("/v1/events?includeSystem=true&aggregateId=%24redaction%2F" + id).body);
  REQUIRE(own.list("/events").size() == 2);
  CHECK(own.text("/events/0/eventType") == "$RedactionRequested");
  CHECK(own.text("/events/1/eventType") == "$RedactionCompleted");
}

}  // namespace

TEST_CASE("RedactionKill.AServerThatIsToldToEndInTheMiddleGoesOnAfterTheRestart") {
  std::vector<std::string> slow = kSmallSegments;
  slow.insert(slow.end(), {"--compaction-rate", "1MiB"});
  RedactionServer api({}, slow);
  const std::string secret = secret_text("slowly");
  HttpClient client = api.client();
  for (int i = 0; i < 160; ++i) append_secret(api, "a", secret + std::to_string(i) + std::string(25'000, '.'));
  const std::string location = ask_redaction(api, "/v1/aggregates/a/redact");
  const auto is_gone = [&](const std::string& which) {
    return Json(client.get("/v1/events?aggregateId=a&limit=1&order=" + which).body).has("/events/0/redacted");
  };
  REQUIRE(eventually([&] { return is_gone("asc"); }));
  REQUIRE_FALSE(is_gone("desc"));
  CHECK(Json(client.get(location).body).text("/state") == "rewriting");
  api.stop_and_restart(kSmallSegments);
  const Json status = wait_completed(api, location);
  CHECK(status.number("/counts/events") < 160);  // what was left of it
  check_told_once(api, location);
  check_nowhere(api, {secret});
}

}  // namespace stele::tests
