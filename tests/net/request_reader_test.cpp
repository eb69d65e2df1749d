// The reading side of a connection without a socket.

#include "net/http/request_reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace stele::tests {

namespace {

using net::RequestReader;
using Step = RequestReader::Step;

struct Reader {
  net::HttpLimits limits;
  api::ConnectionCounts counts;
  net::ConnectionBudget budget{10, 0, 1 << 20, 1 << 20, counts};
  RequestReader reader{limits, budget};

  bool wants_bodies = true;
  int asked = 0;

  /// Feeds at most `slice` bytes at a time until there is something to do; what was not read stays in `bytes`.
  Step advance(std::string_view& bytes, std::size_t slice) {
    for (;;) {
      const Step step = (reader.is_in_body() || reader.has_begun()) ? reader.next() : Step::Read;
      if (step == Step::Ask) {
        ++asked;
        if (wants_bodies) continue;
        reader.skip_body();
        return Step::Whole;
      }
      if (step != Step::Read || bytes.empty()) return step;
      const auto room = reader.room();
      REQUIRE(room.size() > 0);
      const std::size_t taken = std::min({slice, room.size(), bytes.size()});
      std::memcpy(room.data(), bytes.data(), taken);
      reader.received(taken);
      bytes.remove_prefix(taken);
    }
  }
};

const std::string start = "POST /e HTTP/1.1\r\nHost: a\r\n";

}  // namespace

TEST_CASE("RequestReader.RequestsAreTheSameInWhateverPiecesTheyArrive") {
  const std::string large(100'000, 'x');
  std::string chunks;
  for (int i = 0; i < 20; ++i) chunks += "1000\r\n" + std::string(0x1000, static_cast<char>('a' + i)) + "\r\n";
  std::string decoded;
  for (int i = 0; i < 20; ++i) decoded += std::string(0x1000, static_cast<char>('a' + i));
  const std::string all = start + "Content-Length: 3\r\n\r\nabc" + "\r\n" + start + "\r\n" + start +
                          "Content-Length: 100000\r\n\r\n" + large + start + "Transfer-Encoding: chunked\r\n\r\n" +
                          chunks + "0\r\n\r\n" + start + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + start +
                          "Content-Length: 10000\r\n\r\n" + large.substr(0, 10'000);
  const std::vector<std::string> bodies{"abc", "", large, decoded, "", large.substr(0, 10'000)};
  for (const std::size_t slice : {1UL, 2UL, 7UL, 1000UL, 20'000UL, 1'000'000UL}) {
    CAPTURE(slice);
    Reader reader;
    std::string_view bytes = all;
    for (const std::string& body : bodies) {
      reader.reader.begin_request();
      REQUIRE(reader.advance(bytes, slice) == Step::Whole);
      CHECK(reader.reader.head().path == "/e");
      CHECK(reader.reader.body() == body);
      reader.reader.end_request();
    }
    reader.reader.begin_request();
    CHECK(reader.advance(bytes, slice) == Step::Read);
    CHECK_FALSE(reader.reader.has_begun());
  }
}

TEST_CASE("RequestReader.ABodyIsAskedForOnceAndOnlyIfNoneOfItIsThere") {
  for (const std::string framing :
       {"Content-Length: 3\r\n", "Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    CAPTURE(framing);
    const std::string head = start + "Expect: 100-continue\r\n" + framing + "\r\n";
    Reader waiting;
    waiting.reader.begin_request();
    std::string_view bytes = head;
    CHECK(waiting.advance(bytes, 1'000) == Step::Continue);
    CHECK(waiting.reader.is_in_body());
    CHECK(waiting.reader.body_bytes_received() == 0);
    CHECK(waiting.advance(bytes, 1'000) == Step::Read);
    Reader sending;
    sending.reader.begin_request();
    const std::string more = head + "1";
    bytes = more;
    CHECK(sending.advance(bytes, 1'000) == Step::Read);
  }
  Reader reader;
  reader.reader.begin_request();
  const std::string empty = start + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n";
  std::string_view bytes = empty;
  CHECK(reader.advance(bytes, 1'000) == Step::Whole);
}

TEST_CASE("RequestReader.ABodyIsAskedAboutIfItTakesMemoryOrIsWaitedFor") {
  for (const auto& [rest, asked] : {std::pair<std::string, int>{"Content-Length: 3\r\n\r\nabc", 0},
                                    {"Content-Length: 3\r\n\r\na", 0},
                                    {"Content-Length: 100000\r\n\r\nabc", 1},
                                    {"Transfer-Encoding: chunked\r\n\r\n", 1},
                                    {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
                                    {"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", 1},
                                    {"Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", 0}}) {
    CAPTURE(rest);
    Reader reader;
    reader.wants_bodies = false;
    reader.reader.begin_request();
    const std::string sent = start + rest;
    std::string_view bytes = sent;
    const Step step = reader.advance(bytes, 1'000);
    CHECK(reader.asked == asked);
    if (asked == 0) continue;
    CHECK(step == Step::Whole);
    CHECK(reader.reader.head().path == "/e");
    CHECK(reader.reader.body().empty());
    CHECK(reader.counts.body_bytes == 0);
  }
}

TEST_CASE("RequestReader.WhatIsAheadOfABodyInMemoryCountsOnce") {
  Reader reader;
  reader.reader.begin_request();
  const std::string sent = start + "Content-Length: 100000\r\n\r\n" + std::string(5'000, 'x');
  std::string_view bytes = sent;
  CHECK(reader.advance(bytes, 1'000) == Step::Read);
  CHECK(reader.reader.body_bytes_received() == 5'000);
}

TEST_CASE("RequestReader.AHeadThatIsTooLongIsCalledTheSameHoweverItArrives") {
  const std::pair<std::string, std::string> cases[] = {
      {"GET /" + std::string(16'384, 'a') + " HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\r\n",
       "uri-too-long"},
      // The line ends just behind, and just within what it may have.
      {"GET /" + std::string(16'385 - 16, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "uri-too-long"},
      {"GET /" + std::string(16'384 - 16, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "header-too-large"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17'000, 'a') + "\r\n\r\n", "header-too-large"}};
  for (const auto& [sent, slug] : cases) {
    for (const std::size_t slice : {1UL, 7UL, 1000UL, 16'384UL, 20'000UL}) {
      CAPTURE(slice);
      Reader reader;
      reader.reader.begin_request();
      std::string_view bytes = sent;
      CHECK(reader.advance(bytes, slice) == Step::Refused);
      CHECK(reader.reader.refusal().slug == slug);
    }
  }
}

TEST_CASE("RequestReader.ARefusedHeadStillTellsItsOrigin") {
  const std::string origin = "Origin: https://app.example\r\n";
  for (const std::string& sent : {"GET / HTTP/1.1\r\nHost: a\r\n" + origin + "X: " + std::string(20'000, 'a'),
                                  "GET / HTTP/1.1\r\n" + origin + "Host: a\r\nHost: b\r\n\r\n",
                                  "GET / HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n" + origin + "\r\n",
                                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n" + origin + "\r\n"}) {
    Reader reader;
    reader.reader.begin_request();
    std::string_view bytes = sent;
    CHECK(reader.advance(bytes, 1000) == Step::Refused);
    CHECK(reader.reader.header("origin") == "https://app.example");
  }
}

TEST_CASE("RequestReader.BodiesBeyondTheBudgetAreRefused") {
  Reader reader;
  reader.reader.begin_request();
  const std::string sent = start + "Content-Length: 2000000\r\n\r\n" + std::string(2'000'000, 'x');
  std::string_view bytes = sent;
  CHECK(reader.advance(bytes, 100'000) == Step::Refused);
  CHECK(reader.reader.refusal().slug == "busy");
  CHECK(!bytes.empty());
}

}  // namespace stele::tests
