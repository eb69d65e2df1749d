// Live streams as clients see them that others wrote: npm's eventsource and ws.

#include <doctest/doctest.h>

#include <string>

#include "tests/contract/cutting_proxy.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// Waits until the script has written `text`.
void wait_for_script(ChildProcess& script, const std::string& text) {
  (void)eventually([&] { return contains(script.out(), text) || !script.running(); });
  REQUIRE_MESSAGE(contains(script.out(), text), script.out() << script.err());
}

std::string stream_url(const Api& api, const std::string& scheme, const std::string& query) {
  return scheme + "://127.0.0.1:" + std::to_string(api.port()) + "/v1/events/stream" + query;
}

/// Their positions.
std::vector<std::uint64_t> append_some(const Api& api, int count, const std::string& type = "Some") {
  HttpClient client = api.client();
  std::vector<std::uint64_t> positions;
  for (int i = 0; i < count; ++i) {
    positions.push_back(append(client, event_json("live", type)).number("/position"));
  }
  return positions;
}

/// The lines that are numbers.
std::vector<std::uint64_t> numbers_in(const std::string& out) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t at = 0; at < out.size();) {
    const std::size_t end = std::min(out.find('\n', at), out.size());
    const std::string line = out.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line.find_first_not_of("0123456789") == std::string::npos)
      numbers.push_back(std::stoull(line));
  }
  return numbers;
}

}  // namespace

TEST_CASE("LiveClients.AnEventSourceMissesNothingOverAKillAndARestart") {
  Api api;
  std::vector<std::uint64_t> all;
  const auto add = [&](int count) {
    for (const std::uint64_t position : append_some(api, count)) all.push_back(position);
  };
  add(5);
  const auto script = start_client_script("event_source", {stream_url(api, "http", "?start=beginning"), "30"});
  wait_for_script(*script, "caught-up " + std::to_string(all.back()) + "\n");
  add(5);
  api.kill_and_restart();
  add(10);
  wait_for_script(*script, "\n" + std::to_string(all.back()) + "\n");
  api.kill_and_restart();
  add(10);
  CHECK(script->wait() == 0);
  CHECK(script->err().empty());
  CHECK(numbers_in(script->out()) == all);
}

TEST_CASE("LiveClients.AnEventSourceMissesNothingOverALineThatIsCutAndARestart") {
  Api api;
  std::vector<std::uint64_t> all = append_some(api, 20);
  const auto add = [&](int count) {
    for (const std::uint64_t position : append_some(api, count)) all.push_back(position);
  };
  CuttingProxy proxy(api.port(), {2'000, 2'500});
  const std::string url = "http://127.0.0.1:" + std::to_string(proxy.port()) + "/v1/events/stream?start=beginning";
  const auto script = start_client_script("event_source", {url, "40"});
  wait_for_script(*script, "caught-up " + std::to_string(all.back()) + "\n");
  CHECK(proxy.cut == 2);
  add(10);
  wait_for_script(*script, "\n" + std::to_string(all.back()) + "\n");
  api.kill_and_restart();
  add(10);
  CHECK(script->wait() == 0);
  CHECK(script->err().empty());
  CHECK(numbers_in(script->out()) == all);
  CHECK(proxy.connections >= 4);
}

TEST_CASE("LiveClients.AnEventSourceThatHasSeenNothingYetComesBackToWhereItBegan") {
  Api api;
  const std::uint64_t before = append_some(api, 3).back();
  const auto script = start_client_script("event_source", {stream_url(api, "http", "?start=now"), "2"});
  wait_for_script(*script, "caught-up " + std::to_string(before) + "\n");
  api.kill_and_restart();
  const std::vector<std::uint64_t> after = append_some(api, 2);  // before it is back, most likely
  CHECK(script->wait() == 0);
  CHECK(numbers_in(script->out()) == after);
}

TEST_CASE("LiveClients.AWebSocketGetsWhatItGivesCreditFor") {
  for (const std::string& credit : {std::string(), std::string("1"), std::string("1000")}) {
    CAPTURE(credit);
    Api api;
    const std::vector<std::uint64_t> begun = append_some(api, 3);
    const std::uint64_t before = begun.back();
    const std::string url = stream_url(api, "ws", "?start=" + std::to_string(begun[0]));
    const auto script = start_client_script("web_socket", credit.empty() ? std::vector{url} : std::vector{url, credit});
    wait_for_script(*script, "caughtUp " + std::to_string(before) + " text\n");
    const std::uint64_t last = append_some(api, 2).back() + 1;
    REQUIRE(append_some(api, 1, "End").back() == last);
    CHECK(script->wait() == 0);
    const std::string out = script->out();
    CHECK(out.starts_with("open stele.v1.json plain\nevent " + std::to_string(begun[1]) + " text\n"));
    std::string expected;
    for (std::uint64_t position = before + 1; position <= last; ++position) {
      expected += "event " + std::to_string(position) + " text\n";
    }
    CHECK(out.ends_with(expected + "close 1000 bye\n"));
    CHECK(script->err().empty());
  }
}

TEST_CASE("LiveClients.AWebSocketIsToldOfTheServersEnd") {
  Api api;
  const auto script = start_client_script("web_socket", {stream_url(api, "ws", "")});
  wait_for_script(*script, "caughtUp ");
  CHECK(api.server().stop() == 0);
  CHECK(script->wait() == 0);
  CHECK(script->out().ends_with("close 1001 the server ends\n"));
}

}  // namespace stele::tests
