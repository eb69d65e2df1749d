// A request body in the chunked coding.
//
// Input: one byte (length of the pieces it arrives in), then the body.

#include "engine/base/check.h"
#include "net/http/chunked_decoder.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::net {
namespace {

using Outcome = ChunkedDecoder::Outcome;

std::vector<std::string> seeds() {
  return {
      "\x01"
      "5\r\nhello\r\n0\r\n\r\n",
      "\x03"
      "1a;name=value\r\nabcdefghijklmnopqrstuvwxyz\r\n00\r\n\r\nGET / ",
      "\x10"
      "2\r\nab\r\n0\r\nTrailer: x\r\n\r\n",
      "\x02"
      "FFFFFFFFFFFFFFFF\r\nx"};
}

struct Decoded {
  std::string body;
  Outcome outcome = Outcome::More;
  std::size_t consumed = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t piece_max) {
  ChunkedDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < bytes.size()) {
    const fuzz::Exact piece(bytes.substr(decoded.consumed, piece_max));
    const ChunkedDecoder::Step step = decoder.next(piece.view());
    STELE_CHECK(step.consumed <= piece.view().size() && step.data.size() <= step.consumed);
    decoded.consumed += step.consumed;
    decoded.body += step.data;
    decoded.outcome = step.outcome;
    if (step.outcome == Outcome::Data) {
      STELE_CHECK(!step.data.empty());
      decoded.outcome = Outcome::More;
    } else if (step.outcome == Outcome::More) {
      STELE_CHECK(step.consumed == piece.view().size());
    } else {
      break;
    }
  }
  return decoded;
}

}  // namespace

FUZZ_TARGET(chunked, seeds) {
  if (input.size() < 2) return;
  const std::size_t piece = static_cast<unsigned char>(input[0]) + 1U;
  const std::string_view bytes = input.substr(1);
  const Decoded whole = decode(bytes, bytes.size());
  const Decoded pieces = decode(bytes, piece);
  STELE_CHECK(whole.body == pieces.body && whole.outcome == pieces.outcome);
  if (whole.outcome == Outcome::Done) STELE_CHECK(whole.consumed == pieces.consumed);
}

}  // namespace stele::net
