#include "net/http/chunked_decoder.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace stele::net {
namespace {

struct Decoded {
  ChunkedDecoder::Outcome outcome = ChunkedDecoder::Outcome::More;
  std::string body;
  std::size_t consumed = 0;
};

/// Feeds `input` in pieces of at most `piece` bytes.
Decoded decode(std::string_view input, std::size_t piece) {
  ChunkedDecoder decoder;
  Decoded result;
  while (result.consumed < input.size()) {
    const ChunkedDecoder::Step step = decoder.next(input.substr(result.consumed, piece));
    result.outcome = step.outcome;
    result.consumed += step.consumed;
    result.body += step.data;
    if (step.outcome != ChunkedDecoder::Outcome::More && step.outcome != ChunkedDecoder::Outcome::Data) break;
  }
  return result;
}

using Outcome = ChunkedDecoder::Outcome;

}  // namespace

TEST_CASE("ChunkedDecoder.TakesChunksApartHoweverTheyArrive") {
  const std::string input = "5\r\nhello\r\n1;name=\"v\"\r\n \r\n00A\r\n0123456789\r\n0\r\n\r\nGET /";
  for (std::size_t piece = 1; piece <= input.size(); ++piece) {
    CAPTURE(piece);
    const Decoded decoded = decode(input, piece);
    CHECK(decoded.outcome == Outcome::Done);
    CHECK(decoded.body == "hello 0123456789");
    CHECK(input.substr(decoded.consumed) == "GET /");
  }
}

TEST_CASE("ChunkedDecoder.RefusesWhatIsNotTheCoding") {
  struct Case {
    std::string input;
    Outcome outcome;
  };
  const Case cases[] = {
      {"", Outcome::More},
      {"5\r\nhel", Outcome::Data},
      {"0\r\n\r\n", Outcome::Done},
      {"000\r\n\r\n", Outcome::Done},
      {"\r\n", Outcome::Malformed},
      {"g\r\n", Outcome::Malformed},
      {"-1\r\n", Outcome::Malformed},
      {"0x5\r\nhello\r\n", Outcome::Malformed},
      {" 5\r\nhello\r\n", Outcome::Malformed},
      {"5 \r\nhello\r\n", Outcome::Malformed},
      {"5\nhello\r\n", Outcome::Malformed},
      {"5\rhello\r\n", Outcome::Malformed},
      {"5\r\nhello0\r\n\r\n", Outcome::Malformed},
      {"5\r\nhello\n0\r\n\r\n", Outcome::Malformed},
      {"5\r\nhello\rX", Outcome::Malformed},
      {"5;a\nb\r\nhello\r\n", Outcome::Malformed},
      {"5;" + std::string(300, 'e') + "\r\nhello\r\n", Outcome::Malformed},
      {"FFFFFFFFFFFFFFFFF\r\n", Outcome::Malformed},
      {"0000000000000000000000005\r\nhello\r\n", Outcome::Malformed},
      {"0\r\nX: y\r\n\r\n", Outcome::Trailer},
      {"0\r\n\rX", Outcome::Malformed},
  };
  for (const Case& c : cases) {
    for (const std::size_t piece : {std::size_t{1}, c.input.size() + 1}) {
      CAPTURE(c.input);
      CHECK(decode(c.input, piece).outcome == c.outcome);
    }
  }
}

TEST_CASE("ChunkedDecoder.SurvivesRandomBytes") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string letters = "0123456789abF;\r\n\r\n\r\n x";
  for (int round = 0; round < 2000; ++round) {
    std::string input;
    for (int i = 0; i < 40; ++i) input += letters[random() % letters.size()];
    const Decoded whole = decode(input, input.size());
    const Decoded bytewise = decode(input, 1);
    CHECK(whole.body == bytewise.body);
    CHECK(whole.consumed == bytewise.consumed);
  }
}

}  // namespace stele::net
