// A compressed request body.
//
// Input: one byte (even: gzip, odd: zstd), then the body.

#include "api/http/compressor.h"
#include "api/http/decompressor.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

using Outcome = Decompressed::Outcome;

constexpr std::size_t kBytesMax = 1U << 20;

std::vector<std::string> seeds() {
  const std::string text = "{\"eventType\":\"T\",\"aggregateId\":\"a\",\"data\":1}\n";
  std::string long_text;
  for (int i = 0; i < 100; ++i) long_text += text + std::to_string(i * i);
  std::vector<std::string> inputs;
  for (const ContentCoding coding : {ContentCoding::Gzip, ContentCoding::Zstd}) {
    const char mark = coding == ContentCoding::Gzip ? '\0' : '\1';
    const std::string packed = compress(coding, text);
    inputs.push_back(mark + packed);
    inputs.push_back(mark + packed + compress(coding, "") + packed);
    inputs.push_back(mark + packed.substr(0, packed.size() / 2));
    inputs.push_back(mark + compress(coding, long_text));
    inputs.push_back(mark + compress(coding, std::string(2 * kBytesMax, 'x')).substr(0, 4096));
  }
  inputs.push_back(std::string("\1\x50\x2a\x4d\x18\x03\0\0\0abc", 12));  // a frame that is to be skipped
  return inputs;
}

}  // namespace

FUZZ_TARGET(decompress, seeds) {
  if (input.empty()) return;
  const ContentCoding coding =
      (static_cast<unsigned char>(input[0]) & 1) == 0 ? ContentCoding::Gzip : ContentCoding::Zstd;
  const fuzz::Exact body(input.substr(1));
  const Decompressed result = decompress(coding, body.view(), kBytesMax, 64);
  if (result.outcome != Outcome::Whole) {
    STELE_CHECK(result.bytes.empty());
    return;
  }
  STELE_CHECK(result.bytes.size() <= kBytesMax && result.bytes.capacity() >= result.bytes.size() + 64);
  if (!result.bytes.empty()) {
    STELE_CHECK(decompress(coding, body.view(), result.bytes.size() - 1, 64).outcome == Outcome::TooLarge);
  }
  const Decompressed again = decompress(coding, compress(coding, result.bytes), kBytesMax, 64);
  STELE_CHECK(again.outcome == Outcome::Whole && again.bytes == result.bytes);
}

}  // namespace stele::api
