// Answers whose bodies come when they come.

#include "tests/net/pushed_server.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"

namespace stele::tests {

namespace {

using namespace std::string_literals;

constexpr int kNeverMs = 3'600'000;

std::string request_text(std::string_view target, std::string_view version = "1.1") {
  return "GET " + std::string(target) + " HTTP/" + std::string(version) + "\r\nHost: a\r\n\r\n";
}

/// No answer of those that have ended; the body of the only one.
std::string body_of(const RawClient& client) {
  const auto answers = split_answers(client.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].error.empty());
  return answers[0].body;
}

net::ServerOptions without_sweeps() {
  net::ServerOptions options = quick();
  options.limits.sweep_ms = kNeverMs;
  return options;
}

}  // namespace

TEST_CASE("PushedBody.IsSentAsItComesAndTheConnectionGoesOn") {
  for (const bool blocks : {false, true}) {
    CAPTURE(blocks);
    PushedServer server(without_sweeps());
    server.stage.blocks = blocks;
    RawClient client(server.port());
    REQUIRE(client.send(request_text("/actor")));
    // The head does not wait for a piece.
    REQUIRE(client.wait_for("\r\n\r\n"));
    CHECK(client.received().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(contains(client.received(), "\r\nTransfer-Encoding: chunked\r\n"));
    CHECK(contains(client.received(), "\r\nContent-Type: text/event-stream\r\n"));
    server.stage.say("one\n");
    REQUIRE(client.wait_for("one\n"));
    server.stage.say("two\n");
    REQUIRE(client.wait_for("two\n"));
    server.stage.finish();
    REQUIRE(client.wait_for("\r\n0\r\n\r\n"));
    CHECK(body_of(client) == "one\ntwo\n");
    server.await_no_body();
    CHECK(server.stage.asked_on_io == !blocks);
    REQUIRE(client.send(request_text("/after")));
    CHECK(client.wait_for("\r\n\r\n/after"));
  }
}

TEST_CASE("PushedBody.AnotherThreadIsHeardInOrderAndTicksInARowAreOneWakeUp") {
  PushedServer server(without_sweeps());
  server.stage.blocks = true;
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/actor")));
  std::string said;
  std::thread producer([&] {
    for (int i = 0; i < 2000; ++i) {
      const std::string line = std::to_string(i) + "\n";
      said += line;
      server.stage.say(line);
    }
  });
  producer.join();
  REQUIRE(client.wait_for("1999\n"));
  CHECK(server.stage.asked <= 2001);

  // While it is being asked.
  server.stage.hold(true);
  const int before = server.stage.asked;
  server.stage.waker()->wake();
  wait_until([&] { return server.stage.asked > before; });
  for (int i = 0; i < 1000; ++i) server.stage.waker()->wake();
  server.stage.hold(false);
  wait_until([&] { return server.stage.asked >= before + 2; });
  server.stage.finish();
  REQUIRE(client.wait_for("\r\n0\r\n\r\n"));
  // The one under way, the thousand, the end; and what a wake-up before the first of them may have left behind.
  CHECK(server.stage.asked <= before + 4);
  CHECK(body_of(client) == said);
}

TEST_CASE("PushedBody.GivesSignsOfLifeWhenItIsQuietAndOutlivesTheTimeOfARequest") {
  net::ServerOptions options = quick();
  options.limits.request_ms = 10;
  PushedServer server(options);
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/actor?2")));
  wait_until([&] { return server.stage.heartbeats >= 25; });  // 50 ms, at least
  server.stage.say("news\n");
  REQUIRE(client.wait_for("news\n"));
  server.stage.finish();
  REQUIRE(client.wait_for("\r\n0\r\n\r\n"));
  CHECK(body_of(client).starts_with(":\n:\n"));
}

TEST_CASE("PushedBody.IsDestroyedWhenItsClientLeavesWithoutAnyoneLookingForThat") {
  for (const int how : {0, 1, 2}) {
    CAPTURE(how);
    PushedServer server(without_sweeps());
    RawClient client(server.port());
    REQUIRE(client.send(request_text("/actor")));
    REQUIRE(client.wait_for("\r\n\r\n"));
    const auto waker = server.stage.waker();
    CHECK(server.stage.alive == 1);
    if (how == 0) client.close();
    if (how == 1) client.reset();
    if (how == 2) client.half_close();
    server.await_no_body();
    server.await_connections(0);
    waker->wake();  // of a body that is gone
    server.end();
    waker->wake();  // of a server that is gone
  }
}

TEST_CASE("PushedBody.IsDestroyedWhenItsClientLeavesBehindBytesThatNobodyReads") {
  PushedServer server;
  {
    RawClient client(server.port());
    REQUIRE(client.send(request_text("/actor")));
    REQUIRE(client.wait_for("\r\n\r\n"));
    REQUIRE(client.send(request_text("/behind")));
    server.stage.say("still here");
    REQUIRE(client.wait_for("still here"));
  }
  server.await_no_body();
  PushedTlsServer secure;
  {
    HttpClient client = secure.client();
    REQUIRE(client.send_raw(request_text("/actor")));
    REQUIRE(client.read_raw(15) == "HTTP/1.1 200 OK");
    CHECK(secure.server.stage.alive == 1);
  }
  secure.server.await_no_body();
}

TEST_CASE("PushedBody.ARequestThatCameMeanwhileIsAnsweredAfterIt") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/actor") + request_text("/behind")));
  server.stage.say("first");
  REQUIRE(client.wait_for("first"));
  REQUIRE(client.send(request_text("/later")));
  server.stage.finish();
  REQUIRE(client.wait_for("\r\n\r\n/later"));
  const auto answers = split_answers(client.received());
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].body == "first");
  CHECK(answers[1].body == "/behind");
}

TEST_CASE("PushedBody.ASlowClientGetsWhatItsBufferHeldAndThenTheEndItsBodyChose") {
  PushedServer server;
  RawClient client(server.port(), {.receive_buffer = 4096});
  REQUIRE(client.send(request_text("/buffered")));
  REQUIRE(client.wait_for("\r\n\r\n"));
  std::string taken;
  auto pushed = api::PushBuffer::Pushed::Taken;
  for (int i = 0; pushed == api::PushBuffer::Pushed::Taken; ++i) {
    const std::string piece(8 * 1024, static_cast<char>('a' + i % 26));
    pushed = server.buffer->push(piece);
    if (pushed == api::PushBuffer::Pushed::Taken) taken += piece;
  }
  CHECK(pushed == api::PushBuffer::Pushed::Overflow);
  CHECK(server.buffer->push("x") == api::PushBuffer::Pushed::Overflow);
  REQUIRE(client.wait_for("[too slow]\r\n0\r\n\r\n"));
  CHECK(body_of(client) == taken + "[too slow]");
}

TEST_CASE("PushedBody.AClientThatReadsNothingIsGivenUp") {
  net::ServerOptions options = quick();
  options.limits.write_ms = 20;
  PushedServer server(options);
  RawClient client(server.port(), {.receive_buffer = 4096});
  REQUIRE(client.send(request_text("/chatter?100000000")));
  REQUIRE(client.wait_for("\r\n\r\n"));
  server.await_connections(0);
}

TEST_CASE("PushedBody.OnesProducerIsToldThatNobodyIsThereAnyMore") {
  PushedServer server;
  {
    RawClient client(server.port());
    REQUIRE(client.send(request_text("/buffered")));
    REQUIRE(client.wait_for("\r\n\r\n"));
    CHECK(server.buffer->push("x") == api::PushBuffer::Pushed::Taken);
    REQUIRE(client.wait_for("x"));
  }
  wait_until([&] { return server.buffer->push(":") == api::PushBuffer::Pushed::Over; });
}

TEST_CASE("PushedBody.IsToldOfTheShutdownAndEndsWhole") {
  for (const bool blocks : {false, true}) {
    net::ServerOptions options = without_sweeps();
    options.drain_ms = kNeverMs;
    PushedServer server(options);
    server.stage.blocks = blocks;
    RawClient client(server.port());
    REQUIRE(client.send(request_text("/actor")));
    server.stage.say("before\n");
    REQUIRE(client.wait_for("before\n"));
    server.server->begin_shutdown();
    CHECK(client.wait_for_end());
    CHECK(body_of(client) == "before\nbye\n");
    CHECK(server.stage.told_of_shutdown);
    client.close();  // or its connection would linger
    server.server->wait();
    CHECK(server.stage.alive == 0);
  }
}

TEST_CASE("PushedBody.StopWaitsForNone") {
  PushedServer server(without_sweeps());
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/actor")));
  REQUIRE(client.wait_for("\r\n\r\n"));
  server.server->stop();
  server.server->wait();
  CHECK(server.stage.alive == 0);
  CHECK(client.wait_for_end());
}

TEST_CASE("PushedBody.OfAHeadRequestIsNotAsked") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send("HEAD /actor HTTP/1.1\r\nHost: a\r\n\r\n"));
  REQUIRE(client.wait_for("\r\n\r\n"));
  server.await_no_body();
  CHECK_FALSE(contains(client.received(), "Content-Length"));
  REQUIRE(client.send(request_text("/after")));
  CHECK(client.wait_for("\r\n\r\n/after"));
  CHECK(server.stage.asked == 0);
}

TEST_CASE("PushedBody.EndsWithTheConnectionForOldClients") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/actor", "1.0")));
  server.stage.say("one\n");
  REQUIRE(client.wait_for("one\n"));
  server.stage.say("two\n");
  REQUIRE(client.wait_for("two\n"));
  server.stage.finish();
  CHECK(client.wait_for_end());
  CHECK(contains(client.received(), "\r\nConnection: close\r\n"));
  CHECK_FALSE(contains(client.received(), "chunked"));
  CHECK(client.received().ends_with("\r\n\r\none\ntwo\n"));
}

TEST_CASE("PushedBody.ThatFailsIsAnErrorBeforeItBeginsAndACutAfterwards") {
  for (const bool blocks : {false, true}) {
    PushedServer server;
    server.stage.blocks = blocks;
    RawClient cut(server.port());
    REQUIRE(cut.send(request_text("/actor")));
    server.stage.say("one\n");
    REQUIRE(cut.wait_for("one\n"));
    server.stage.fail();
    server.stage.waker()->wake();
    CHECK(cut.wait_for_end());
    CHECK(split_answers(cut.received()).at(0).error == "cut off");
    server.await_no_body();

    RawClient refused(server.port());
    REQUIRE(refused.send(request_text("/actor")));
    REQUIRE(refused.wait_for("}"));
    CHECK(refused.received().starts_with("HTTP/1.1 500 "));
    REQUIRE(refused.send(request_text("/after")));
    CHECK(refused.wait_for("\r\n\r\n/after"));
    CHECK(server.stage.alive == 0);
  }
}

TEST_CASE("PushedBody.ThatNeverWaitsLeavesOthersTheirTurn") {
  net::ServerOptions options = quick();
  options.io_threads = 1;
  PushedServer server(options);
  RawClient greedy(server.port());
  REQUIRE(greedy.send(request_text("/chatter?100000000")));
  REQUIRE(greedy.wait_for("\r\n\r\n"));
  std::atomic<bool> answered{false};
  std::thread reader([&] {
    while (!answered && greedy.wait_for_bytes(greedy.received().size() + 1)) {
    }
  });
  RawClient other(server.port());
  CHECK(other.send(request_text("/other")));
  CHECK(other.wait_for("\r\n\r\n/other"));
  answered = true;
  reader.join();
}

TEST_CASE("PushedBody.ManyPiecesInARowArriveWhole") {
  PushedServer server;
  RawClient client(server.port());
  REQUIRE(client.send(request_text("/chatter?3000")));
  REQUIRE(client.wait_for("\r\n0\r\n\r\n"));
  std::string whole;
  for (int i = 0; i < 3000; ++i) whole.append(1000, static_cast<char>('a' + i % 26));
  CHECK(body_of(client) == whole);
}

TEST_CASE("PushedBody.OverTlsToo") {
  PushedTlsServer secure;
  HttpClient client = secure.client();
  REQUIRE(client.send_raw(request_text("/actor?5")));
  wait_until([&] { return secure.server.stage.heartbeats >= 3; });
  secure.server.stage.say("one\n");
  secure.server.server->begin_shutdown();
  const std::string all = client.read_to_end();
  CHECK(contains(all, ":\n"));
  CHECK(all.find("one\n") < all.find("bye\n"));
  CHECK(all.ends_with("\r\n0\r\n\r\n"));
  secure.server.server->wait();
}

}  // namespace stele::tests
