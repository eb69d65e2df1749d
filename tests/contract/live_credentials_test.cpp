// A live stream of a running server ends within 30 seconds of its credentials. The server's clocks are shifted, so that
// nobody waits for that (tests/preload/shifted_clock.cpp).

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/api/access_support.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/raw_client.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr std::int64_t kStreamsEndWithin = 30;  ///< seconds, as the interface says

/// A server with authentication whose time the test moves on.
class TimedServer {
 public:
  explicit TimedServer(std::vector<std::string> arguments = {}) {
    move_on(0, 0);
    arguments.insert(arguments.end(), {"--segment-size", "1MiB", "--auth", "on"});
    server_ = std::make_unique<ServerProcess>(
        ServerProcess::start({.data = folder_.file("data"),
                              .arguments = std::move(arguments),
                              .environment = {{"LD_PRELOAD", shifted_clock()}, {"SHIFTED_CLOCK", path_}}}));
  }
  /// Seconds, of the wall clock and of the one that does not jump, since the start.
  void move_on(std::int64_t wall, std::int64_t steady) const {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    const std::array<std::int64_t, 2> shifts{wall, steady};
    REQUIRE(::pwrite(fd, shifts.data(), sizeof shifts, 0) == sizeof shifts);
    ::close(fd);
  }
  [[nodiscard]] std::string key(const std::string& role, const std::string& name) const {
    const auto made = run_stele({"token", "create", "--data", folder_.file("data"), "--role", role, "--name", name});
    REQUIRE(made.exit_code == 0);
    return made.out.substr(0, made.out.find('\n'));
  }
  void revoke(const std::string& name) const {
    const auto listed = run_stele({"token", "list", "--data", folder_.file("data"), "--format", "ndjson"});
    for (std::size_t at = 0; at < listed.out.size();) {
      const std::size_t end = listed.out.find('\n', at);
      const Json key(listed.out.substr(at, end - at));
      at = end + 1;
      if (key.text("/name") != name) continue;
      REQUIRE(run_stele({"token", "revoke", "--data", folder_.file("data"), key.text("/id")}).exit_code == 0);
      return;
    }
    FAIL("there is no such key");
  }
  [[nodiscard]] int port() const { return server_->port(); }
  /// Appends an event; its position.
  [[nodiscard]] std::string store(const std::string& token) const {
    HttpClient client(port());
    const Json receipt = append(client, event_json("timed"), {{"Authorization", "Bearer " + token}});
    return std::to_string(receipt.number("/position"));
  }

 private:
  test::TempFolder folder_;
  std::string path_ = folder_.file("shifts");
  std::unique_ptr<ServerProcess> server_;
};

/// The same stream in both forms.
struct BothStreams {
  BothStreams(int port, const std::string& token) : events(port), socket(port) {
    const std::string head =
        "GET /v1/events/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\n";
    REQUIRE(events.send(head + "\r\n"));
    REQUIRE(
        socket.send(head +
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: stele.v1.json\r\n\r\n"));
    REQUIRE(events.wait_for("event: caught-up\n"));
    REQUIRE(socket.wait_for("\"caughtUp\""));
  }
  void wait_for_event(const std::string& position) {
    CHECK(events.wait_for("id: " + position + "\ndata: "));
    CHECK(socket.wait_for("\"position\":" + position + ","));
  }
  void wait_for_ends() {
    CHECK(events.wait_for("\r\n0\r\n\r\n"));
    CHECK(socket.wait_for("{\"type\":\"error\",\"error\":\"invalid-credentials\""));
    CHECK(socket.wait_for("\x03\xF0invalid-credentials"));
  }
  void check_without(const std::string& position) const {
    CHECK_FALSE(contains(events.received(), "id: " + position + "\n"));
    CHECK_FALSE(contains(socket.received(), "\"position\":" + position + ","));
  }
  RawClient events, socket;
};

}  // namespace

TEST_CASE("LiveCredentials.StreamsEndAfterTheirKeyWasRevoked") {
  const TimedServer timed;
  const std::string writer = timed.key("writer", "writer");
  BothStreams leaving(timed.port(), timed.key("reader", "leaving"));
  BothStreams staying(timed.port(), timed.key("reader", "staying"));
  const std::string before = timed.store(writer);
  leaving.wait_for_event(before);
  staying.wait_for_event(before);
  timed.revoke("leaving");
  timed.move_on(kStreamsEndWithin, kStreamsEndWithin);
  leaving.wait_for_ends();
  const std::string after = timed.store(writer);
  staying.wait_for_event(after);
  leaving.check_without(after);
}

TEST_CASE("LiveCredentials.StreamsEndAfterTheirJwtHasExpired") {
  const test::TempFolder folder;
  const api::test::SigningKey key(api::test::SigningKey::Kind::Ed25519, "k");
  write_file(folder.file("jwks.json"), api::test::jwks({key.jwk()}));
  const TimedServer timed({"--jwks", folder.file("jwks.json"), "--jwt-issuer", "i", "--jwt-audience", "a"});
  const auto token_for = [&](const std::string& role, std::int64_t seconds) {
    return key.token(R"({"iss":"i","aud":"a","sub":"s","stele_role":")" + role + R"(","exp":)" +
                     std::to_string(std::time(nullptr) + seconds) + "}");
  };
  constexpr std::int64_t lifetime = 600, leeway = 30;
  const std::string writer = token_for("writer", 100 * lifetime);
  BothStreams leaving(timed.port(), token_for("reader", lifetime));
  BothStreams staying(timed.port(), token_for("reader", 100 * lifetime));
  // It is still good, and so they are after they were looked at.
  timed.move_on(lifetime - 300, lifetime - 300);
  const std::string before = timed.store(writer);
  leaving.wait_for_event(before);
  staying.wait_for_event(before);
  const std::int64_t end = lifetime + leeway + kStreamsEndWithin;
  timed.move_on(end, end);
  leaving.wait_for_ends();
  const std::string after = timed.store(writer);
  staying.wait_for_event(after);
  leaving.check_without(after);
}

}  // namespace stele::tests
