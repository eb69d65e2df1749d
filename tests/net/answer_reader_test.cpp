// Answers of receivers, as bytes in any pieces.

#include "net/webhook/answer_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace stele::tests {

using net::AnswerReader;
using State = AnswerReader::State;

namespace {

struct Outcome {
  State state = State::NeedsMore;
  AnswerReader reader;
};

/// In pieces of `size`, and then the end of the connection if it is not over.
void feed(Outcome& to, std::string_view bytes, std::size_t size, bool in_order = true) {
  while (!bytes.empty() && to.state == State::NeedsMore) {
    to.state = to.reader.take(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
  if (to.state == State::NeedsMore) to.state = to.reader.end(in_order);
}

}  // namespace

TEST_CASE("AnswerReader.ReadsAnswersInAnyPieces") {
  struct Case {
    std::string_view bytes;
    int status;
    std::string_view body;
    bool may_keep;
  };
  for (const Case& c : {
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true},
           Case{"HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200, "", false},
           Case{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
           Case{"HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n", 500,
                "abcdefg", true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, "ok",
                true},
           Case{"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 202, "", true},
           Case{"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", false},
           Case{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 410 Gone\r\n"
                "Content-Length: 4\r\n\r\ngone",
                410, "gone", true},
           Case{"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", 999, "", true},
       }) {
    for (const std::size_t size : {1UL, 2UL, 3UL, 4UL, 5UL, 7UL, 1000UL}) {
      CAPTURE(c.bytes);
      CAPTURE(size);
      Outcome outcome;
      feed(outcome, c.bytes, size);
      CHECK(outcome.state == State::Complete);
      CHECK(outcome.reader.status() == c.status);
      CHECK(outcome.reader.body() == c.body);
      CHECK(outcome.reader.may_keep() == c.may_keep);
    }
  }
}

TEST_CASE("AnswerReader.BytesBehindAnAnswerSpoilTheConnection") {
  Outcome outcome;
  feed(outcome, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", 1000);
  CHECK(outcome.state == State::Complete);
  CHECK_FALSE(outcome.reader.may_keep());
}

TEST_CASE("AnswerReader.WhatIsNoAnswerIsSaidToBeNone") {
  std::string many;
  for (int i = 0; i < 17; ++i) many += "HTTP/1.1 100 Continue\r\n\r\n";
  for (const std::string& bytes : {
           std::string("SSH-2.0-OpenSSH_9.2\r\n"),
           std::string("HTTP/2 200\r\n\r\n"),
           std::string("\x15\x03\x01\x00\x02\x02\x46", 7),
           std::string("HTTP/1.1 abc OK\r\n\r\n"),
           std::string("HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n"),
           std::string("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
           // ends that can be read in two ways
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"),
           std::string("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(40'000, 'x'),
           many,
       }) {
    for (const std::size_t size : {1UL, 100'000UL}) {
      CAPTURE(bytes.substr(0, 80));
      CAPTURE(size);
      Outcome outcome;
      feed(outcome, bytes, size);
      CHECK(outcome.state == State::NotHttp);
    }
  }
}

TEST_CASE("AnswerReader.AnEndlessHeadIsGivenUp") {
  std::string head = "HTTP/1.1 200 OK\r\n";
  while (head.size() < 20'000) head += "X-Field: " + std::string(100, 'x') + "\r\n";
  for (const std::size_t size : {100UL, 100'000UL}) {
    Outcome outcome;
    feed(outcome, head, size);
    CHECK(outcome.state == State::HeadTooLarge);
  }
}

TEST_CASE("AnswerReader.ALongBodyIsCut") {
  const std::string whole(AnswerReader::body_bytes_usual, 'x');
  const auto length = [](std::size_t bytes) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
  };
  for (const std::size_t size : {777UL, 1'000'000UL}) {
    CAPTURE(size);
    Outcome just, announced, longer, until_end, chunked, chunked_more;
    feed(just, length(whole.size()) + whole, size);
    CHECK(just.state == State::Complete);
    CHECK(just.reader.body() == whole);
    feed(announced, length(whole.size() + 1) + whole, size);  // the last byte never comes
    CHECK(announced.state == State::Cut);
    feed(longer, length(1'000'000'000) + whole + "yyyy", size);
    CHECK(longer.state == State::Cut);
    CHECK(longer.reader.body() == whole);
    feed(until_end, "HTTP/1.1 200 OK\r\n\r\n" + whole + "y", size);
    CHECK(until_end.state == State::Cut);
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n";
    feed(chunked, head + whole + "\r\n0\r\n\r\n", size);
    CHECK(chunked.state == State::Complete);
    CHECK(chunked.reader.body() == whole);
    feed(chunked_more, head + whole + "\r\n1\r\ny\r\n0\r\n\r\n", size);
    CHECK(chunked_more.state == State::Cut);
    CHECK(chunked_more.reader.body() == whole);
  }
}

TEST_CASE("AnswerReader.TrailersWithoutEndAreGivenUp") {
  std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n";
  while (bytes.size() < 2 * AnswerReader::framed_max * AnswerReader::body_bytes_usual)
    bytes += "X-Trailer: " + std::string(1000, 'x') + "\r\n";
  Outcome outcome;
  feed(outcome, bytes, 4096);
  CHECK((outcome.state == State::Cut || outcome.state == State::NotHttp || outcome.state == State::HeadTooLarge));
}

TEST_CASE("AnswerReader.AnEndBeforeTheAnswersIsABreak") {
  const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (std::size_t size = 0; size < answer.size(); ++size) {
    Outcome outcome;
    feed(outcome, answer.substr(0, size), 1000);
    CHECK(outcome.state == State::BrokenOff);
    CHECK(outcome.reader.has_begun() == (size > 0));
  }
  Outcome reset;  // a body until the end that ends by a reset
  feed(reset, "HTTP/1.1 200 OK\r\n\r\nhalf", 1000, false);
  CHECK(reset.state == State::BrokenOff);
  Outcome chunks;
  feed(chunks, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 1000);
  CHECK(chunks.state == State::BrokenOff);
}

}  // namespace stele::tests
