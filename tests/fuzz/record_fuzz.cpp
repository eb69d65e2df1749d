// Records as they come from a segment.

#include "engine/log/record.h"

#include <algorithm>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/sample_records.h"

namespace stele {
namespace {

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (int kind = 0; kind < 3; ++kind) all.push_back(fuzz::sample_record(kind, 5));
  std::string redacted = all.back();
  redacted[4] = 1;
  all.push_back(redacted);
  return all;
}

bool decode(std::string_view bytes, Record& record) {
  const std::span<char> room = record.prepare(bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  return static_cast<bool>(record.decode());
}

std::string encode_again(const Record& record, std::string_view bytes) {
  Seed seed{};
  if (record.body().data || record.body().metadata || record.body().private_fields) {
    const std::size_t at = kRecordFrameBytes + record.header_bytes().size();
    std::copy_n(bytes.data() + at, seed.size(), reinterpret_cast<char*>(seed.data()));
  }
  std::string again;
  append_record(again, record.header(), seed, record.body());
  return again;
}

/// What is decoded can be encoded, and then stays the same.
void check_decoded(const Record& record, std::string_view bytes) {
  STELE_CHECK(record.header_bytes().size() <= kHeaderBytesMax);
  STELE_CHECK(record.header().aggregate_id.size() <= kStringBytesMax);
  STELE_CHECK(record.header().commit_index < record.header().commit_count);
  std::string_view before;
  for (const std::string_view tag : record.header().tags) {
    STELE_CHECK(before < tag && tag.size() <= kTagBytesMax);
    before = tag;
  }
  (void)record.leaf();
  if (record.any_redacted()) return;
  const std::string once = encode_again(record, bytes);
  Record second;
  STELE_CHECK(decode(once, second));
  STELE_CHECK(second.body().data == record.body().data && second.body().metadata == record.body().metadata);
  STELE_CHECK(encode_again(second, once) == once);
}

}  // namespace

FUZZ_TARGET(record, seeds) {
  const fuzz::Exact exact(input);
  (void)record_length(exact.view());
  Record record;
  if (decode(input, record)) check_decoded(record, input);

  // The same with length and checksum put right, which no fuzzer guesses.
  if (input.size() < kRecordFrameBytes) return;
  std::string mended(input);
  put_at<std::uint32_t>(mended.data(), static_cast<std::uint32_t>(mended.size()));
  put_at<std::uint64_t>(mended.data() + 8, xxh3(std::string_view(mended).substr(0, 8),
                                                std::string_view(mended).substr(kRecordFrameBytes)));
  if (decode(mended, record)) check_decoded(record, mended);
}

}  // namespace stele
