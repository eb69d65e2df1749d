// Too many connections: the one too many is told so, and those inside notice nothing.

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"

namespace stele::tests {
namespace {

/// Asks on a connection that is already open and stays so.
void check_inside(Target& target, RawClient& client) {
  const std::size_t known = client.received().size();
  REQUIRE(client.send(get("/healthz")));
  REQUIRE(client.wait_for_bytes(known + 1));
  REQUIRE(client.wait_for(R"({"status":"ok"})"));
  CHECK(target.answers(std::string_view(client.received()).substr(known)).front().status == 200);
}

RawClient enter(Target& target, const std::string& from = "127.0.0.1") {
  std::optional<RawClient> client;
  // A connection that has just ended may still be counted.
  REQUIRE(eventually([&] {
    client.emplace(target.port(), RawClient::Options{.from = from});
    return client->send(get("/healthz")) && client->wait_for(R"({"status":"ok"})");
  }));
  return std::move(*client);
}

/// The refusal can be read as a whole although the client goes on sending.
void check_turned_away(Target& target, const std::string& from, std::string_view why) {
  RawClient client(target.port(), RawClient::Options{.from = from});
  (void)client.send(post_event("never") + std::string(1 << 20, 'x'));
  CHECK(client.wait_for_end());
  const auto answers = target.answers(client.received());
  REQUIRE(answers.size() == 1);
  const Json problem = check_problem(answers.front(), 503, "busy");
  CHECK(problem.text("/detail").find(why) != std::string::npos);
  CHECK(answers.front().has_header("Retry-After"));
  CHECK(answers.front().header("Connection") == "close");
}

}  // namespace

TEST_CASE("ConnectionLimits.OneTooManyInAllIsToldSo") {
  Target target({"--connections-max", "8"});
  std::vector<RawClient> inside;
  for (int i = 0; i < 8; ++i) inside.push_back(enter(target));
  for (int i = 0; i < 5; ++i) check_turned_away(target, "127.0.0.1", "Too many connections are open");
  for (RawClient& client : inside) check_inside(target, client);
  inside.pop_back();
  CHECK(eventually([&] { return target.connections() == 7; }));
  inside.push_back(enter(target));
  for (RawClient& client : inside) check_inside(target, client);
}

TEST_CASE("ConnectionLimits.OneTooManyFromAnAddressIsToldSoAndOthersAreServed") {
  Target target({"--connections-per-address-max", "4"});
  std::vector<RawClient> inside;
  for (int i = 0; i < 4; ++i) inside.push_back(enter(target));
  check_turned_away(target, "127.0.0.1", "from your address");
  RawClient other = enter(target, "127.0.0.2");
  for (RawClient& client : inside) check_inside(target, client);
  check_inside(target, other);
}

TEST_CASE("ConnectionLimits.AFloodFromOneAddressTakesNoOtherOnesPlace") {
  Target target({"--connections-max", "50", "--connections-per-address-max", "10"});
  std::vector<RawClient> inside;
  for (int i = 0; i < 10; ++i) inside.push_back(enter(target));
  std::vector<RawClient> flood;  // these read nothing, and stay
  for (int i = 0; i < 300; ++i) flood.emplace_back(target.port());
  for (int i = 0; i < 10; ++i) {
    RawClient other = enter(target, "127.0.0.2");
    check_inside(target, other);
  }
  for (RawClient& client : inside) check_inside(target, client);
}

TEST_CASE("ConnectionLimits.ConnectionsLeaveDescriptorsToTheLog") {
  test::TempFolder folder;
  const auto process =
      ChildProcess::start({"/bin/sh", "-c", R"(ulimit -n 256; exec "$0" "$@")", stele_binary(), "serve", "--data",
                           folder.path() + "/data", "--listen", "127.0.0.1:0", "--segment-size", "64KiB"});
  const std::string line = process->wait_for_stderr("listening on http://127.0.0.1:");
  REQUIRE_FALSE(line.empty());
  const int port = std::stoi(line.substr(line.rfind(':') + 1));
  HttpClient client(port);
  append(client, event_json("first"));
  std::vector<RawClient> flood;
  for (int i = 0; i < 400; ++i) flood.emplace_back(port);
  // Rolls over many segments while everybody holds on.
  for (int i = 0; i < 50; ++i) append(client, event_json("roll", "T", '"' + std::string(20'000, 'x') + '"'));
  CHECK(get_json(client, "/readyz").has("/ready"));
  flood.clear();
}

}  // namespace stele::tests
