// GET /v1/events/stream as a conversation in messages.

#include <doctest/doctest.h>

#include "api/live/live_socket.h"
#include "tests/api/access_support.h"
#include "tests/api/live_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Occasion = PushedBody::Occasion;

/// A service whose streams are upgraded, with intervals that never pass.
struct SocketFixture {
  explicit SocketFixture(ServiceOptions options = {}) : service(with_framing(std::move(options))) {}

  ServiceOptions with_framing(ServiceOptions options) {
    options.web_sockets = &framing;
    options.live.checkpoint_interval = std::chrono::hours(1);
    options.live.credentials_interval = std::chrono::milliseconds(0);
    return options;
  }
  [[nodiscard]] LiveReader open(const std::string& query = "", TestService::Headers headers = {}) {
    headers.emplace("Upgrade", "lines");
    return LiveReader(service, "/v1/events/stream" + query, headers);
  }
  void post_events(int count, const std::string& type = "T") {
    for (int i = 0; i < count; ++i) {
      REQUIRE(service.post(R"({"eventType":")" + type + R"(","aggregateId":"a","data": [1, 2] })").status == 201);
    }
  }

  LineFraming framing;
  TestService service;
};

/// `event 1`, `caughtUp 2`, `checkpoint 3`, `error slow-reader 4`, `close 1008 x`, with commas between them.
std::string story(const std::string& lines) {
  std::string found;
  simdjson::dom::parser parser;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = lines.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string line = lines.substr(at, end - at);
    at = end + 1;
    if (!found.empty()) found += ", ";
    if (line.starts_with("close ")) {
      found += line;
      continue;
    }
    const simdjson::dom::element message = parser.parse(line);
    found += std::string_view(message["type"]);
    std::string_view error;
    if (message["error"].get(error) == simdjson::SUCCESS) found += " " + std::string(error);
    std::uint64_t position = 0;
    if (message["position"].get(position) != simdjson::SUCCESS) position = message.at_pointer("/event/position");
    found += " " + std::to_string(position);
  }
  return found;
}

}  // namespace

TEST_CASE("LiveSocket.GivesEventsAsInListsAndSaysWhenItHasCaughtUp") {
  SocketFixture fixture;
  fixture.post_events(2);
  LiveReader reader = fixture.open("?start=beginning");
  const std::string said = reader.read();
  CHECK(story(said) == "event 1, event 2, caughtUp 2");
  std::string listed = fixture.service.get("/v1/events?limit=1", {{"Accept", "application/x-ndjson"}}).body;
  listed.pop_back();
  CHECK(said.starts_with(R"({"type":"event","event":)" + listed + "}\n"));
  fixture.post_events(1);
  CHECK(story(reader.read_until("\"position\":3")) == "event 3");
}

TEST_CASE("LiveSocket.TheFirstCreditSwitchesToCountingAndCreditsAddUp") {
  SocketFixture fixture;
  LiveReader reader = fixture.open();
  CHECK(story(reader.read()) == "caughtUp 0");
  fixture.post_events(1);
  CHECK(story(reader.read_until("\"position\":1")) == "event 1");
  reader.send(R"({"type":"credit","events":1})");
  reader.send(R"({"events": 2, "type": "credit"})");
  CHECK(reader.read().empty());
  fixture.post_events(5);
  CHECK(story(reader.read_until("\"position\":4")) == "event 2, event 3, event 4");
  CHECK(reader.read().empty());
  reader.send(R"({"type":"credit","events":9223372036854775807})");
  reader.send(R"({"type":"credit","events":9223372036854775807})");
  CHECK(story(reader.read()) == "event 5, event 6");
}

TEST_CASE("LiveSocket.AReaderWithoutCreditIsWaitedForAndLosesNothing") {
  ServiceOptions options;
  options.live.buffer_bytes_max = 1500;
  SocketFixture fixture(std::move(options));
  LiveReader reader = fixture.open();
  LiveReader witness = fixture.open();
  reader.read();
  witness.read();
  reader.send(R"({"type":"credit","events":1})");
  for (int i = 1; i <= 30; ++i) {
    fixture.post_events(1);
    witness.read_until("\"position\":" + std::to_string(i) + ",");
  }
  CHECK(story(reader.read()) == "event 1");
  reader.send(R"({"type":"credit","events":100})");
  const std::string said = story(reader.read_until("\"position\":30,"));
  CHECK(said.starts_with("event 2, event 3, "));
  CHECK(said.ends_with(", event 29, event 30"));
  CHECK(std::count(said.begin(), said.end(), ',') == 28);
}

TEST_CASE("LiveSocket.WhatIsNotUnderstoodEndsIt") {
  SocketFixture fixture;
  const std::string big_array = "[" + std::string(2000, '[') + std::string(2000, ']') + "]";
  const std::vector<std::string> bad = {"",
                                        "x",
                                        "{}",
                                        "[]",
                                        "1",
                                        "\xFF",
                                        "{\"type\":\"credit\"}",
                                        R"({"type":"credit","events":0})",
                                        R"({"type":"credit","events":-1})",
                                        R"({"type":"credit","events":1.5})",
                                        R"({"type":"credit","events":"1"})",
                                        R"({"type":"credit","events":18446744073709551615})",
                                        R"({"type":"credit","events":99999999999999999999})",
                                        R"({"type":"credit","events":1,"more":1})",
                                        R"({"type":"other","events":1})",
                                        R"({"type":"credit","events":1}{})",
                                        big_array};
  for (const std::string& message : bad) {
    CAPTURE(message);
    LiveReader reader = fixture.open();
    reader.read();
    reader.send(message);
    reader.send(R"({"type":"credit","events":1})");
    CHECK(story(reader.read()) == "error not-understood 0, close 1008 not-understood");
    CHECK(reader.ended());
  }
}

TEST_CASE("LiveSocket.SaysHowFarTheLogWasExamined") {
  SocketFixture fixture;
  LiveReader reader = fixture.open("?eventType=Never");
  LiveReader witness = fixture.open();
  reader.read();
  CHECK(reader.read(Occasion::Quiet).empty());
  fixture.post_events(3);
  witness.read_until("\"position\":3,");
  std::string said;
  while (said.find("\"position\":3}") == std::string::npos) said += reader.read(Occasion::Quiet);
  CHECK(story(said).ends_with("checkpoint 3"));
}

TEST_CASE("LiveSocket.ASlowReaderIsCutWithAPlaceToComeBackTo") {
  ServiceOptions options;
  options.live.buffer_bytes_max = 1500;
  SocketFixture fixture(std::move(options));
  LiveReader slow = fixture.open();
  LiveReader quick = fixture.open();
  slow.read();
  quick.read();
  for (int i = 1; i <= 30; ++i) {
    fixture.post_events(1);
    quick.read_until("\"position\":" + std::to_string(i) + ",");
  }
  const std::string said = story(slow.read());
  CAPTURE(said);
  CHECK(said.starts_with("event 1, "));
  CHECK(said.ends_with(", close 1013 slow-reader"));
  CHECK(said.find("error slow-reader ") != std::string::npos);
  CHECK(said.find("event 30") == std::string::npos);
}

TEST_CASE("LiveSocket.EndsWithItsCredentialsAndWithTheServer") {
  TestKeys keys;
  const std::string admin = keys.add(Role::Admin, "admin"), reader_key = keys.add(Role::Reader, "reader");
  ServiceOptions options;
  options.authenticator = keys.open();
  SocketFixture fixture(std::move(options));
  LiveReader revoked = fixture.open("", {{"Authorization", "Bearer " + reader_key}});
  LiveReader stays = fixture.open("?eventType=Never", {{"Authorization", "Bearer " + admin}});
  revoked.read();
  stays.read();
  keys.revoke(reader_key);
  CHECK(story(revoked.read(Occasion::Quiet)) == "error invalid-credentials 0, close 1008 invalid-credentials");
  CHECK(story(stays.read(Occasion::ShuttingDown)).empty());
  CHECK_FALSE(stays.ended());  // the framing says the rest
  const Answer refused = fixture.service.get("/v1/events/stream", {{"Upgrade", "lines"}});
  CHECK(refused.status == 401);
}

TEST_CASE("LiveSocket.PagesOfOtherOriginsAreRefused") {
  ServiceOptions options;
  options.cors_origins = {"https://app.example"};
  SocketFixture fixture(std::move(options));
  const auto status = [&](const std::string& origin) {
    return fixture.service.get("/v1/events/stream",
                               {{"Upgrade", "lines"}, {"Host", "127.0.0.1:8080"}, {"Origin", origin}});
  };
  CHECK(status("https://evil.example").slug() == "foreign-origin");
  CHECK(status("https://evil.example").status == 403);
  CHECK(status("null").status == 403);
  CHECK(status("").status == 403);
  CHECK(status("http://127.0.0.1:80801").status == 403);
  CHECK(status("https://app.example").status == 200);
  CHECK(status("http://127.0.0.1:8080").status == 200);
  CHECK(status("https://127.0.0.1:8080").status == 200);
  // What a browser guards itself.
  CHECK(fixture.service.get("/v1/events/stream", {{"Origin", "https://evil.example"}}).status == 200);
}

TEST_CASE("LiveSocket.CountsAmongTheStreams") {
  ServiceOptions options;
  options.live.streams_max = 1;
  SocketFixture fixture(std::move(options));
  const LiveReader first = fixture.open();
  CHECK(fixture.service.get("/metrics").body.find("stele_live_streams{protocol=\"websocket\"} 1") != std::string::npos);
  CHECK(fixture.service.get("/v1/events/stream", {{"Upgrade", "lines"}}).slug() == "too-many-streams");
  CHECK(fixture.service.get("/v1/events/stream").slug() == "too-many-streams");
}
