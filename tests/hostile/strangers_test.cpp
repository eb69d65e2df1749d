// Who has no credentials costs nothing that callers need: their bodies are refused before they are read.

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/raw_client.h"

namespace stele::tests {
namespace {

/// A server with authentication and little room for bodies, and a key that may append.
struct Guarded {
  test::TempFolder folder;
  ServerProcess server = ServerProcess::start(
      {folder.file("data"), {"--auth", "on", "--body-size-max", "1MiB", "--bodies-size-max", "2MiB"}, {}, 0});
  std::string writer = key("writer");

  [[nodiscard]] std::string key(const std::string& role) const {
    const auto made =
        run_stele({"token", "create", "--data", folder.file("data"), "--role", role, "--name", "the-" + role});
    REQUIRE(made.exit_code == 0);
    return made.out.substr(0, made.out.find('\n'));
  }
};

struct Refused {
  std::string line;           ///< of the request
  std::string authorization;  ///< empty = none
  std::string status;
};

std::string head_of(const Refused& request, const std::string& more) {
  std::string head = request.line + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  if (!request.authorization.empty()) head += "Authorization: " + request.authorization + "\r\n";
  return head + more + "\r\n";
}

}  // namespace

TEST_CASE("Strangers.TheirUploadsTakeNoRoomFromCallers") {
  Guarded guarded;
  const std::vector<Refused> strangers = {{"POST /v1/events", "", "401"},
                                          {"POST /v1/events", "Bearer stele_wrong", "401"},
                                          {"POST /v1/events", "Bearer a.b.c", "401"},
                                          {"POST /v1/events", "Bearer " + guarded.key("reader"), "403"},
                                          {"POST /nowhere", "", "404"},
                                          {"DELETE /v1/events", "", "405"},
                                          {"GET /healthz", "", "200"}};
  std::vector<RawClient> slow;
  const auto upload = [&](const Refused& stranger, const std::string& framing, const std::string& body) {
    INFO(stranger.line, " ", framing);
    RawClient& client = slow.emplace_back(guarded.server.port());
    REQUIRE(client.send(head_of(stranger, framing)));
    (void)client.send(body);  // a part of what was announced, if the server has not closed by then
    CHECK(client.wait_for("\r\n\r\n"));
    CHECK(client.received().starts_with("HTTP/1.1 " + stranger.status));
    CHECK(client.received().find("Connection: close") != std::string::npos);
  };
  const std::string body(400'000, ' ');
  for (const Refused& stranger : strangers) {
    upload(stranger, "Content-Length: 1000000\r\n", body);
    upload(stranger, "Transfer-Encoding: chunked\r\n", "61a80\r\n" + body + "\r\n");
  }
  HttpClient client(guarded.server.port());
  const std::string event = event_json("large", "Tested", '"' + std::string(900'000, 'd') + '"');
  CHECK(client.post("/v1/events", event, "application/json", {{"Authorization", "Bearer " + guarded.writer}}).status ==
        201);
}

TEST_CASE("Strangers.AreNotToldToContinue") {
  Guarded guarded;
  for (const auto& stranger :
       {Refused{"POST /v1/events", "", "401"}, Refused{"POST /v1/events", "Bearer stele_wrong", "401"},
        Refused{"POST /nowhere", "", "404"}}) {
    INFO(stranger.line);
    RawClient client(guarded.server.port());
    REQUIRE(client.send(head_of(stranger, "Expect: 100-continue\r\nContent-Length: 10\r\n")));
    CHECK(client.wait_for("\r\n\r\n"));
    CHECK(client.received().starts_with("HTTP/1.1 " + stranger.status));
  }
  RawClient client(guarded.server.port());
  const std::string body = event_json("continued");
  REQUIRE(client.send(
      head_of({"POST /v1/events", "Bearer " + guarded.writer, ""},
              "Expect: 100-continue\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n")));
  REQUIRE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
  REQUIRE(client.send(body));
  CHECK(client.wait_for_end());
  CHECK(client.received().find("HTTP/1.1 201") != std::string::npos);
}

TEST_CASE("Strangers.ASmallBodyIsReadAndTheConnectionGoesOn") {
  Guarded guarded;
  HttpClient client(guarded.server.port());
  REQUIRE(client.connect());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(client.send_raw("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345"));
    check_problem(client.read_response(), 401, "credentials-required");
  }
}

}  // namespace stele::tests
