// The bytes of single records, redacted ones among them, which are put together here by hand from the specification.

#include <doctest/doctest.h>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/log/record_extensions.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/sample_log.h"

using namespace stele;

namespace {

constexpr std::string_view kData = R"({"burn":12.50,"name":"Ünal"})";
constexpr std::string_view kMetadata = R"({"source":"plan"})";
constexpr std::string_view kPrivate = R"({"address":"192.0.2.7"})";

std::string_view text_of(const auto& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

RecordHeader full_header() {
  RecordHeader header;
  header.kind = RecordKind::Action;
  header.given = {.schema_version = true, .correlation_id = true, .aggregate_type = true};
  header.schema_version = 0x01020304;
  header.position = Position{0x1112131415161718};
  header.sequence = SequenceNumber{0x2122232425262728};
  header.time = kSampleTime;
  header.occurred_at = Timestamp{-1};
  header.event_id = *parse_uuid("0192f0c4-9000-7000-8000-0000000000ff");
  header.commit_index = 0x0304;
  header.commit_count = 0x0506;
  header.key_id = 0x31323334;
  header.retention_class = 5;
  header.outcome = ActionOutcome::Failed;
  header.aggregate_id = "src/server.c";
  header.aggregate_type = "File";
  header.event_type = "event.append";
  header.user_id = "ada";
  header.principal = "gateway";
  header.correlation_id = "request 1";
  header.causation_id = "";
  // One that nobody knows, and a resource.
  header.extensions = std::string_view("\x09\x00\x02\x00hi\x04\x00\x10\x00route:/v1/events", 26);
  header.resource = "route:/v1/events";
  header.data_length = static_cast<std::uint32_t>(kData.size());
  header.metadata_length = static_cast<std::uint32_t>(kMetadata.size());
  header.private_length = static_cast<std::uint32_t>(kPrivate.size());
  return header;
}

std::string encode(const RecordHeader& header, const Seed& seed, const RecordBody& body) {
  std::string bytes;
  append_record(bytes, header, seed, body);
  return bytes;
}

std::string full_record() {
  return encode(full_header(), counting_seed(0xA0),
                RecordBody{.data = kData, .metadata = kMetadata, .private_fields = kPrivate});
}

void decode(Record& record, std::string_view bytes) {
  std::copy(bytes.begin(), bytes.end(), record.prepare(bytes.size()).data());
  const Status decoded = record.decode();
  REQUIRE_MESSAGE(decoded, decoded.error().describe());
}

void check_full_header(const RecordHeader& header) {
  const RecordHeader wanted = full_header();
  CHECK(header.kind == wanted.kind);
  CHECK(header.given == wanted.given);
  CHECK(header.schema_version == wanted.schema_version);
  CHECK(header.position == wanted.position);
  CHECK(header.sequence == wanted.sequence);
  CHECK(header.time == wanted.time);
  CHECK(header.occurred_at == wanted.occurred_at);
  CHECK(header.event_id == wanted.event_id);
  CHECK(header.commit_index == wanted.commit_index);
  CHECK(header.commit_count == wanted.commit_count);
  CHECK(header.key_id == wanted.key_id);
  CHECK(header.retention_class == wanted.retention_class);
  CHECK(header.outcome == wanted.outcome);
  CHECK(header.aggregate_id == wanted.aggregate_id);
  CHECK(header.aggregate_type == wanted.aggregate_type);
  CHECK(header.event_type == wanted.event_type);
  CHECK(header.user_id == wanted.user_id);
  CHECK(header.principal == wanted.principal);
  CHECK(header.correlation_id == wanted.correlation_id);
  CHECK(header.causation_id == wanted.causation_id);
  CHECK(header.resource == wanted.resource);
  CHECK(header.extensions == wanted.extensions);
  CHECK(header.data_length == wanted.data_length);
  CHECK(header.metadata_length == wanted.metadata_length);
  CHECK(header.private_length == wanted.private_length);
}

/// The full record with the members in `gone` (bit 0 data, 1 metadata, 2 private) taken out.
std::string redacted_record(unsigned gone) {
  const std::string whole = full_record();
  const std::size_t header_length = get_at<std::uint16_t>(whole.data() + 16 + 4);
  const Seed seed = counting_seed(0xA0);
  const std::string_view members[] = {kData, kMetadata, kPrivate};
  std::string content = whole.substr(16, header_length);
  for (unsigned i = 0; i < 3; ++i) {
    const auto salt = member_salt(seed, static_cast<BodyMember>(i));
    if ((gone >> i) & 1U) {
      content += as_bytes(sha256({text_of(salt), members[i]}));
    } else {
      content += text_of(salt);
    }
  }
  for (unsigned i = 0; i < 3; ++i) {
    if (((gone >> i) & 1U) == 0) content += members[i];
  }
  std::string bytes;
  put<std::uint32_t>(bytes, static_cast<std::uint32_t>(16 + content.size()));
  put<std::uint8_t>(bytes, static_cast<std::uint8_t>(gone));
  bytes.append(3, '\0');
  put<std::uint64_t>(bytes, xxh3(bytes + content));
  return bytes + content;
}

}  // namespace

TEST_CASE("GoldenRecord.ARecordWithEveryMember") {
  check_golden("record-full.bin", full_record());
  Record record;
  decode(record, golden_bytes("record-full.bin"));
  check_full_header(record.header());
  CHECK(record.body().data == kData);
  CHECK(record.body().metadata == kMetadata);
  CHECK(record.body().private_fields == kPrivate);
  CHECK(to_hex(as_bytes(record.leaf())) == to_hex(as_bytes(leaf_hash(record.header_bytes(), record.body_digest()))));
}

TEST_CASE("GoldenRecord.TheSmallestRecord") {
  RecordHeader header;
  header.aggregate_id = "a";
  header.event_type = "t";
  header.sequence = SequenceNumber{1};
  const std::string bytes = encode(header, counting_seed(0), RecordBody{});
  CHECK(bytes.size() == 102);
  check_golden("record-minimal.bin", bytes);
  Record record;
  decode(record, golden_bytes("record-minimal.bin"));
  CHECK(record.header().kind == RecordKind::Event);
  CHECK(record.header().given == GivenByClient{});
  CHECK(record.header().aggregate_id == "a");
  CHECK(record.header().event_type == "t");
  CHECK(record.header().commit_count == 1);
  CHECK_FALSE(record.header().occurred_at);
  CHECK_FALSE(record.header().aggregate_type);
  CHECK_FALSE(record.header().user_id);
  CHECK_FALSE(record.header().principal);
  CHECK_FALSE(record.header().correlation_id);
  CHECK_FALSE(record.header().causation_id);
  CHECK_FALSE(record.header().resource);
  CHECK_FALSE(record.header().data_length);
  CHECK_FALSE(record.body().data);
  const std::string no_member(32, '\0');
  CHECK(record.body_digest() == sha256({no_member, no_member, no_member}));
}

TEST_CASE("GoldenRecord.IdsInTheFormOfAUuidTakeSixteenBytes") {
  RecordHeader header;
  header.aggregate_id = "0192f0c4-9000-7000-8000-000000000001";
  header.event_type = "t";
  header.user_id = "0192f0c4-9000-7000-8000-00000000000a";
  header.correlation_id = "0192f0c4-9000-7000-8000-00000000000b";
  header.causation_id = "0192F0C4-9000-7000-8000-00000000000C";  // upper case is not the canonical form
  header.data_length = 4;
  check_golden("record-uuid-ids.bin", encode(header, counting_seed(1), RecordBody{.data = "null"}));
  const std::string golden = golden_bytes("record-uuid-ids.bin");
  CHECK(golden.size() == 16 + 80 + 37 + 2 + 16 + 16 + 37 + 2 + 16 + 4);
  Record record;
  decode(record, golden);
  CHECK(record.header().aggregate_id == header.aggregate_id);
  CHECK(record.header().user_id == header.user_id);
  CHECK(record.header().correlation_id == header.correlation_id);
  CHECK(record.header().causation_id == header.causation_id);
  CHECK(record.body().data == "null");
}

TEST_CASE("GoldenRecord.TagsAreAnExtension") {
  const std::vector<std::string> tags{"course:7", "student:\xC3\xA4"};
  const std::string extensions = encode_extensions(tags);
  RecordHeader header;
  header.position = Position{9};
  header.sequence = SequenceNumber{1};
  header.time = kSampleTime;
  header.event_id = *parse_uuid("0192f0c4-9000-7000-8000-0000000000fe");
  header.aggregate_id = "enrolment-3";
  header.event_type = "StudentEnrolled";
  header.extensions = extensions;
  header.data_length = 2;
  check_golden("record-tags.bin", encode(header, counting_seed(2), RecordBody{.data = "{}"}));
  const std::string golden = golden_bytes("record-tags.bin");
  CHECK(golden.size() == 16 + 80 + 12 + 16 + 2 + (4 + 9 + 11) + 16 + 2);
  Record record;
  decode(record, golden);
  const TagList& got = record.header().tags;
  CHECK(std::vector<std::string>(got.begin(), got.end()) == tags);
}

TEST_CASE("GoldenRecord.RedactionKeepsHeaderAndLeaf") {
  Record whole;
  decode(whole, golden_bytes("record-full.bin"));
  for (unsigned gone = 1; gone < 8; ++gone) {
    CAPTURE(gone);
    const std::string name = "record-redacted-" + std::to_string(gone) + ".bin";
    check_golden(name, redacted_record(gone));
    Record record;
    decode(record, golden_bytes(name));
    check_full_header(record.header());
    CHECK(record.any_redacted());
    CHECK(record.redacted(BodyMember::Data) == ((gone & 1U) != 0));
    CHECK(record.redacted(BodyMember::Metadata) == ((gone & 2U) != 0));
    CHECK(record.redacted(BodyMember::Private) == ((gone & 4U) != 0));
    using Member = std::optional<std::string_view>;
    CHECK(record.body().data == ((gone & 1U) ? Member() : Member(kData)));
    CHECK(record.body().metadata == ((gone & 2U) ? Member() : Member(kMetadata)));
    CHECK(record.body().private_fields == ((gone & 4U) ? Member() : Member(kPrivate)));
    CHECK(record.header_bytes() == whole.header_bytes());
    CHECK(record.leaf() == whole.leaf());
    std::string encoded = "before";
    append_redacted_record(encoded, whole, BodyMemberSet{static_cast<std::uint8_t>(gone)});
    CHECK(encoded == "before" + golden_bytes(name));
    // What is left of a record can be redacted in its turn.
    for (unsigned more = 1; more < 8; ++more) {
      CAPTURE(more);
      encoded.clear();
      append_redacted_record(encoded, record, BodyMemberSet{static_cast<std::uint8_t>(more)});
      CHECK(encoded == redacted_record(gone | more));
    }
  }
}
