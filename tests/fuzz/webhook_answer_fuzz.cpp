// What the receiver of a webhook answers, in pieces of any size, and the end of its connection.
//
// Input: one byte (length of the pieces it arrives in), then the bytes.

#include "engine/base/check.h"
#include "net/webhook/answer_reader.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

std::vector<std::string> webhook_answer_seeds() {
  return {
      "\x03HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
      "\x10HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
      "\x07HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n"
      "5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
      "\xFFHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
      "\x20HTTP/1.0 200 OK\r\n\r\nuntil the end",
      "\x05HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
      "\x01HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "\x40HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
      "\x02SSH-2.0-OpenSSH_9.2\r\n"};
}

struct HeardAnswer {
  AnswerReader::State state = AnswerReader::State::NeedsMore;
  int status = 0;
  std::string retry_after;
  std::string body;
};

HeardAnswer hear_answer(std::string_view bytes, std::size_t piece_max) {
  AnswerReader reader;
  HeardAnswer heard;
  for (std::size_t at = 0; at < bytes.size() && heard.state == AnswerReader::State::NeedsMore; at += piece_max) {
    heard.state = reader.take(bytes.substr(at, piece_max));
    STELE_CHECK(reader.body().size() <= AnswerReader::body_bytes_usual);
  }
  if (heard.state == AnswerReader::State::NeedsMore) heard.state = reader.end(true);
  STELE_CHECK(heard.state != AnswerReader::State::NeedsMore);
  heard.status = reader.status();
  heard.retry_after = reader.retry_after();
  heard.body = reader.body();
  return heard;
}

bool is_answer(const HeardAnswer& heard) {
  return heard.state == AnswerReader::State::Complete || heard.state == AnswerReader::State::Cut;
}

}  // namespace

FUZZ_TARGET(webhook_answer, webhook_answer_seeds) {
  if (input.empty()) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) + 1U;
  const fuzz::Exact exact(input.substr(1));
  const std::string_view bytes = exact.view();
  const HeardAnswer whole = hear_answer(bytes, bytes.size());
  const HeardAnswer pieces = hear_answer(bytes, piece);
  // What is refused may be refused for something else.
  STELE_CHECK(is_answer(whole) == is_answer(pieces));
  if (!is_answer(whole)) return;
  STELE_CHECK(whole.state == pieces.state);
  STELE_CHECK(whole.status == pieces.status && whole.retry_after == pieces.retry_after && whole.body == pieces.body);
  STELE_CHECK(whole.status >= 200 && whole.status <= 999);
  STELE_CHECK(bytes.starts_with("HTTP/1."));
}

}  // namespace stele::net
