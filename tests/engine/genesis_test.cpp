#include "engine/commit/genesis.h"

#include <doctest/doctest.h>

#include "engine/base/bytes.h"
#include "engine/base/uuid.h"

using namespace stele;

namespace {

const Uuid kGenesisStore = *parse_uuid("0192f0c4-8a5e-7c31-9b1a-6f2d3e4c5b6a");

Result<Genesis> decode_extensions(std::string_view extensions, RecordKind kind = RecordKind::Genesis,
                                  Position position = {}) {
  RecordHeader header;
  header.kind = kind;
  header.position = position;
  header.extensions = extensions;
  return decode_genesis(header);
}

std::string entry(std::uint16_t tag, std::string_view value) {
  std::string bytes;
  put<std::uint16_t>(bytes, tag);
  put<std::uint16_t>(bytes, static_cast<std::uint16_t>(value.size()));
  bytes.append(value);
  return bytes;
}

}  // namespace

TEST_CASE("Genesis.ComesBackAsItWas") {
  for (const std::string& origin : {std::string("stele"), std::string("example.org/log"), std::string(255, 'o')}) {
    const auto decoded = decode_extensions(encode_genesis({kGenesisStore, origin}));
    REQUIRE(decoded);
    CHECK(decoded->store_id == kGenesisStore);
    CHECK(decoded->origin == origin);
  }
}

TEST_CASE("Genesis.UnknownTagsArePassedOver") {
  const auto decoded =
      decode_extensions(entry(77, "later") + encode_genesis({kGenesisStore, "stele"}) + entry(0xFFFF, ""));
  REQUIRE(decoded);
  CHECK(decoded->store_id == kGenesisStore);
  CHECK(decoded->origin == "stele");
}

TEST_CASE("Genesis.EveryTruncationIsCorrupt") {
  const std::string bytes = encode_genesis({kGenesisStore, "stele"});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const auto decoded = decode_extensions(std::string_view(bytes).substr(0, size));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().kind == ErrorKind::Corrupt);
  }
}

TEST_CASE("Genesis.MissingOrImpossibleMembersAreCorrupt") {
  CHECK_FALSE(decode_extensions(entry(1, as_bytes(kGenesisStore))));
  CHECK_FALSE(decode_extensions(entry(2, "stele")));
  CHECK_FALSE(decode_extensions(entry(1, "too short") + entry(2, "stele")));
  CHECK_FALSE(decode_extensions(entry(1, as_bytes(kGenesisStore)) + entry(2, "")));
  CHECK_FALSE(decode_extensions(encode_genesis({kGenesisStore, "stele"}) + "x"));
}

TEST_CASE("Genesis.OnlyAGenesisRecordAtPositionZeroCounts") {
  const std::string bytes = encode_genesis({kGenesisStore, "stele"});
  CHECK_FALSE(decode_extensions(bytes, RecordKind::Event));
  CHECK_FALSE(decode_extensions(bytes, RecordKind::Action));
  CHECK_FALSE(decode_extensions(bytes, RecordKind::Genesis, Position{1}));
}
