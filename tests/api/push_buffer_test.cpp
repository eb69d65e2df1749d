#include "api/http/push_buffer.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>

#include "api/endpoint/response_compression.h"
#include "api/http/buffered_body.h"
#include "tests/api/support.h"

namespace stele::api::test {

namespace {

using Pushed = PushBuffer::Pushed;
using State = PushBuffer::State;
using Occasion = PushedBody::Occasion;
using Step = PushedBody::Step;

struct CountingWaker final : Waker {
  void wake() noexcept override { ++wakes; }
  std::atomic<int> wakes{0};
};

std::string asked(PushedBody& body, Occasion occasion, Step expected) {
  std::string piece;
  const Result<Step> step = body.next(occasion, piece);
  REQUIRE(step.has_value());
  CHECK(*step == expected);
  return piece;
}

}  // namespace

TEST_CASE("PushBuffer.HoldsWhatFitsAndEndsWhenSomethingDoesNot") {
  PushBuffer buffer(10);
  std::string out;
  CHECK(buffer.push("01234") == Pushed::Taken);
  CHECK(buffer.push("56789") == Pushed::Taken);
  CHECK(buffer.drain(out) == State::Open);
  CHECK(out == "0123456789");
  CHECK(buffer.push("abcdef") == Pushed::Taken);
  CHECK(buffer.push("ghijk") == Pushed::Overflow);  // all or nothing
  CHECK(buffer.push("g") == Pushed::Overflow);
  CHECK(buffer.drain(out) == State::Overflowed);
  CHECK(out == "0123456789abcdef");
  CHECK(buffer.push("g") == Pushed::Overflow);
  PushBuffer small(3);
  CHECK(small.push("four") == Pushed::Overflow);
}

TEST_CASE("PushBuffer.WakesOnceForAsMuchAsPilesUp") {
  PushBuffer buffer(100);
  const auto waker = std::make_shared<CountingWaker>();
  std::string out;
  CHECK(buffer.push("before") == Pushed::Taken);
  buffer.wake_with(waker);
  CHECK(buffer.drain(out) == State::Open);
  CHECK(waker->wakes == 0);
  for (int i = 0; i < 10; ++i) CHECK(buffer.push("x") == Pushed::Taken);
  CHECK(waker->wakes == 1);
  CHECK(buffer.drain(out) == State::Open);
  CHECK(buffer.push("y") == Pushed::Taken);
  CHECK(waker->wakes == 2);
  CHECK(buffer.push(std::string(100, 'z')) == Pushed::Overflow);
  CHECK(buffer.drain(out) == State::Overflowed);
  CHECK(out == "beforexxxxxxxxxxy");

  PushBuffer finished(100);
  finished.wake_with(waker);
  finished.finish();
  CHECK(waker->wakes == 3);
  CHECK(finished.push("x") == Pushed::Over);
  CHECK(finished.drain(out) == State::Finished);

  PushBuffer full(1);
  full.wake_with(waker);
  CHECK(full.push("too long") == Pushed::Overflow);
  CHECK(waker->wakes == 4);
}

TEST_CASE("PushBuffer.TakesNothingMoreOnceClosedNorKeepsItsWaker") {
  PushBuffer buffer(10);
  const auto waker = std::make_shared<CountingWaker>();
  buffer.wake_with(waker);
  CHECK(buffer.push("x") == Pushed::Taken);
  buffer.close();
  CHECK(waker.use_count() == 1);
  CHECK(buffer.push("y") == Pushed::Over);
  std::string out;
  CHECK(buffer.drain(out) == State::Open);
  CHECK(out.empty());
}

TEST_CASE("PushBuffer.LosesNothingBetweenTwoThreads") {
  PushBuffer buffer(64);
  std::string sent;
  std::string got;
  std::thread producer([&] {
    for (int i = 0; i < 20'000; ++i) {
      const std::string line = std::to_string(i) + ",";
      if (buffer.push(line) != Pushed::Taken) break;
      sent += line;
    }
    buffer.finish();
  });
  State state = State::Open;
  while (state == State::Open) state = buffer.drain(got);
  producer.join();
  (void)buffer.drain(got);
  CHECK(got == sent);
}

TEST_CASE("BufferedBody.SaysWhatItWasGivenForEachOccasion") {
  const auto buffer = std::make_shared<PushBuffer>(10);
  const BufferedBody::Pieces pieces{std::chrono::milliseconds(5), ":\n", "[slow]", "[bye]"};
  {
    BufferedBody body(buffer, pieces);
    body.begin(std::make_shared<CountingWaker>());
    CHECK(body.quiet_max() == std::chrono::milliseconds(5));
    CHECK(asked(body, Occasion::Woken, Step::Wait).empty());
    CHECK(asked(body, Occasion::Quiet, Step::Wait) == ":\n");
    CHECK(buffer->push("x") == Pushed::Taken);
    CHECK(asked(body, Occasion::Quiet, Step::Wait) == "x");
    CHECK(buffer->push("y") == Pushed::Taken);
    CHECK(asked(body, Occasion::ShuttingDown, Step::End) == "y[bye]");
  }
  CHECK(buffer->push("z") == Pushed::Over);

  const auto flooded = std::make_shared<PushBuffer>(3);
  BufferedBody slow(flooded, pieces);
  CHECK(flooded->push("abc") == Pushed::Taken);
  CHECK(flooded->push("d") == Pushed::Overflow);
  CHECK(asked(slow, Occasion::Woken, Step::End) == "abc[slow]");

  const auto done = std::make_shared<PushBuffer>(3);
  BufferedBody whole(done, pieces);
  CHECK(done->push("abc") == Pushed::Taken);
  done->finish();
  CHECK(asked(whole, Occasion::Woken, Step::End) == "abc");
}

TEST_CASE("BufferedBody.IsNeverCompressed") {
  TestScheduler scheduler;
  const TestRequest request(Method::Get, "/", {}, {{"Accept-Encoding", "gzip, identity;q=0"}}, scheduler);
  Response response;
  response.content_type = "text/event-stream";
  response.body = "not looked at";
  response.pushed = std::make_unique<BufferedBody>(std::make_shared<PushBuffer>(3), BufferedBody::Pieces{});
  compress_response(request, response, true);
  CHECK(response.headers.empty());
  CHECK(response.body == "not looked at");
}

}  // namespace stele::api::test
