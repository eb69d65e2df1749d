#include "engine/log/record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/extensions.h"
#include "engine/log/record_extensions.h"

using namespace stele;

namespace {

using Text = std::optional<std::string>;

/// A header and body that own their strings.
struct Sample {
  RecordHeader header;
  std::string aggregate_id = "a";
  std::string event_type = "t";
  std::string extensions;
  Text aggregate_type, user_id, principal, correlation_id, causation_id, data, metadata, private_fields;
  Seed seed{};

  [[nodiscard]] RecordBody body() const {
    RecordBody body;
    if (data) body.data = *data;
    if (metadata) body.metadata = *metadata;
    if (private_fields) body.private_fields = *private_fields;
    return body;
  }
  [[nodiscard]] RecordHeader complete() const {
    RecordHeader whole = header;
    whole.aggregate_id = aggregate_id;
    whole.event_type = event_type;
    whole.extensions = extensions;
    REQUIRE(read_extensions(whole));
    const auto length = [](const Text& text) {
      return text ? std::optional(static_cast<std::uint32_t>(text->size())) : std::nullopt;
    };
    if (aggregate_type) whole.aggregate_type = *aggregate_type;
    if (user_id) whole.user_id = *user_id;
    if (principal) whole.principal = *principal;
    if (correlation_id) whole.correlation_id = *correlation_id;
    if (causation_id) whole.causation_id = *causation_id;
    whole.data_length = length(data);
    whole.metadata_length = length(metadata);
    whole.private_length = length(private_fields);
    return whole;
  }
  [[nodiscard]] std::string encode() const {
    std::string bytes;
    append_record(bytes, complete(), seed, body());
    return bytes;
  }
};

Status decode(Record& record, std::string_view bytes) {
  std::copy(bytes.begin(), bytes.end(), record.prepare(bytes.size()).data());
  return record.decode();
}

void check_record(const Record& record, const Sample& sample) {
  const RecordHeader& got = record.header();
  const RecordHeader wanted = sample.complete();
  CHECK(got.kind == wanted.kind);
  CHECK(got.given == wanted.given);
  CHECK(got.schema_version == wanted.schema_version);
  CHECK(got.position == wanted.position);
  CHECK(got.sequence == wanted.sequence);
  CHECK(got.time == wanted.time);
  CHECK(got.occurred_at == wanted.occurred_at);
  CHECK(got.event_id == wanted.event_id);
  CHECK(got.commit_index == wanted.commit_index);
  CHECK(got.commit_count == wanted.commit_count);
  CHECK(got.key_id == wanted.key_id);
  CHECK(got.retention_class == wanted.retention_class);
  CHECK(got.outcome == wanted.outcome);
  CHECK(got.aggregate_id == wanted.aggregate_id);
  CHECK(got.aggregate_type == wanted.aggregate_type);
  CHECK(got.event_type == wanted.event_type);
  CHECK(got.user_id == wanted.user_id);
  CHECK(got.principal == wanted.principal);
  CHECK(got.correlation_id == wanted.correlation_id);
  CHECK(got.causation_id == wanted.causation_id);
  CHECK(got.resource == wanted.resource);
  CHECK(got.extensions == wanted.extensions);
  CHECK(got.tags == wanted.tags);
  CHECK(got.data_length == wanted.data_length);
  CHECK(got.metadata_length == wanted.metadata_length);
  CHECK(got.private_length == wanted.private_length);
  CHECK(record.body().data == sample.body().data);
  CHECK(record.body().metadata == sample.body().metadata);
  CHECK(record.body().private_fields == sample.body().private_fields);
  CHECK_FALSE(record.any_redacted());
  CHECK(record.body_digest() == body_digest(sample.seed, sample.body()));
}

Sample random_sample(std::mt19937_64& random) {
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  const auto bytes = [&](std::size_t size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  const auto text = [&] { return bytes(below(4) == 0 ? 255 * below(2) : below(40)); };
  const auto maybe = [&]() -> Text { return below(3) == 0 ? std::nullopt : Text(text()); };
  const auto id = [&]() -> Text {
    Uuid uuid;
    for (auto& byte : uuid.bytes) byte = static_cast<std::uint8_t>(random());
    std::string form = to_string(uuid);
    switch (below(4)) {
      case 0:
        return std::nullopt;
      case 1:
        return text();
      case 2:
        form[below(form.size())] = 'A';
        return form;  // mostly not canonical any more
      default:
        return form;
    }
  };
  Sample sample;
  sample.header.kind = static_cast<RecordKind>(below(3));
  sample.header.given = {below(2) == 0, below(2) == 0, below(2) == 0};
  sample.header.schema_version = static_cast<std::uint32_t>(random());
  sample.header.position = Position{random()};
  sample.header.sequence = SequenceNumber{random()};
  sample.header.time = Timestamp{static_cast<std::int64_t>(random())};
  if (below(2) == 0) sample.header.occurred_at = Timestamp{static_cast<std::int64_t>(random())};
  for (auto& byte : sample.header.event_id.bytes) byte = static_cast<std::uint8_t>(random());
  sample.header.commit_count = static_cast<std::uint16_t>(1 + below(65535));
  sample.header.commit_index = static_cast<std::uint16_t>(below(sample.header.commit_count));
  sample.header.key_id = static_cast<std::uint32_t>(random());
  sample.header.retention_class = static_cast<std::uint8_t>(random());
  if (below(2) == 0) {
    sample.header.kind = RecordKind::Action;
    sample.header.outcome = static_cast<ActionOutcome>(below(3));
  }
  sample.aggregate_id = text();
  sample.event_type = text();
  sample.aggregate_type = maybe();
  sample.user_id = id();
  sample.principal = maybe();
  sample.correlation_id = id();
  sample.causation_id = id();
  if (below(3) == 0) {
    std::set<std::string> tags;
    for (std::uint64_t count = below(8); count > 0; --count) tags.insert(bytes(1 + below(below(3) == 0 ? 128 : 6)));
    const auto unknown = [&] {
      put_extension(sample.extensions, static_cast<ExtensionTag>(5 + below(60'000)), bytes(below(100)));
    };
    if (below(2) == 0) unknown();
    sample.extensions += encode_extensions(std::vector<std::string>(tags.begin(), tags.end()),
                                           below(2) == 0 ? std::nullopt : Text(bytes(1 + below(kResourceBytesMax))));
    if (below(2) == 0) unknown();
  }
  const auto member = [&]() -> Text { return below(3) == 0 ? std::nullopt : Text(bytes(below(2) * below(600))); };
  sample.data = member();
  sample.metadata = member();
  sample.private_fields = member();
  for (auto& byte : sample.seed) byte = static_cast<std::uint8_t>(random());
  return sample;
}

Sample typical() {
  Sample sample;
  sample.aggregate_id = "mission-7";
  sample.aggregate_type = "Mission";
  sample.event_type = "BurnPlanned";
  sample.user_id = "ada";
  sample.correlation_id = "0192f0c4-9000-7000-8000-0000000000c0";
  sample.header.position = Position{5};
  sample.header.sequence = SequenceNumber{2};
  sample.header.occurred_at = Timestamp{7};
  sample.data = R"({"x":1})";
  sample.metadata = "{}";
  return sample;
}

void fix_record_checksum(std::string& bytes) {
  put_at<std::uint64_t>(bytes.data() + 8,
                        xxh3(std::string_view(bytes).substr(0, 8), std::string_view(bytes).substr(16)));
}

/// What decode() says of the typical record when the byte at `offset` of its hashed header is set to `value` and the
/// checksum is right.
Status decode_with(std::size_t offset, std::uint8_t value) {
  std::string bytes = typical().encode();
  bytes[kRecordFrameBytes + offset] = static_cast<char>(value);
  fix_record_checksum(bytes);
  Record record;
  return decode(record, bytes);
}

}  // namespace

TEST_CASE("Record.RandomRecordsComeBackAsTheyWere") {
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Record record;  // reused, so that nothing may be left over from the one before
  for (int i = 0; i < 500; ++i) {
    const Sample sample = random_sample(random);
    const std::string bytes = sample.encode();
    CHECK(bytes.size() <= record_bytes_max(sample.complete(), sample.body()));
    CHECK(record_length(bytes).value() == bytes.size());
    const Status decoded = decode(record, bytes);
    REQUIRE_MESSAGE(decoded, decoded.error().describe());
    check_record(record, sample);
  }
}

TEST_CASE("Record.AppendTellsWhereTheHeaderIsAndKeepsWhatWasThere") {
  std::string bytes = "before";
  const Sample sample = typical();
  const EncodedRecord encoded = append_record(bytes, sample.complete(), sample.seed, sample.body());
  CHECK(encoded.record_offset == 6);
  CHECK(bytes.starts_with("before"));
  CHECK(bytes.substr(6) == sample.encode());
  Record record;
  REQUIRE(decode(record, std::string_view(bytes).substr(6)));
  CHECK(record.header_bytes() == std::string_view(bytes).substr(encoded.header_offset, encoded.header_length));
}

TEST_CASE("Record.LongestStringsEverywhereFit") {
  Sample sample;
  const std::string longest(255, 'x');
  sample.aggregate_id = sample.event_type = longest;
  sample.aggregate_type = sample.user_id = sample.principal = sample.correlation_id = sample.causation_id = longest;
  sample.extensions = encode_extensions({}, std::string(kResourceBytesMax, 'r'));
  Record record;
  REQUIRE(decode(record, sample.encode()));
  check_record(record, sample);
}

TEST_CASE("Record.TheLongestEventWithAllItsTagsFits") {
  Sample sample;
  const std::string longest(255, 'x');
  sample.aggregate_id = sample.event_type = longest;
  sample.aggregate_type = sample.user_id = sample.principal = sample.correlation_id = sample.causation_id = longest;
  std::vector<std::string> tags;
  for (char c = 'a'; c < 'a' + 16; ++c) tags.emplace_back(128, c);
  sample.extensions = encode_extensions(tags);
  Record record;
  REQUIRE(decode(record, sample.encode()));
  check_record(record, sample);
  CHECK(std::equal(tags.begin(), tags.end(), record.header().tags.begin(), record.header().tags.end()));
}

TEST_CASE("Record.TagsComeBackInOrderAndAreToldFromOthers") {
  Sample sample = typical();
  const std::vector<std::string> tags{"course:7", "seat", "student:\xC3\xA4"};
  sample.extensions = encode_extensions(tags);
  CHECK(sample.extensions == std::string("\3\0\x19\0\x08"
                                         "course:7\4seat\x0astudent:\xC3\xA4",
                                         29));
  Record record;
  REQUIRE(decode(record, sample.encode()));
  const TagList& got = record.header().tags;
  CHECK(std::vector<std::string>(got.begin(), got.end()) == tags);
  for (const std::string& tag : tags) CHECK(got.contains(tag));
  for (const char* const other : {"", "course", "course:7\4seat", "seat0", "zebra"}) CHECK_FALSE(got.contains(other));
  REQUIRE(decode(record, typical().encode()));
  CHECK(record.header().tags.empty());
}

TEST_CASE("Record.MalformedTagsAreRefused") {
  const auto refused = [](std::string_view extensions) {
    const std::string plain = typical().encode();
    Sample sample = typical();
    std::string bytes;
    RecordHeader header = sample.complete();
    header.extensions = extensions;
    append_record(bytes, header, sample.seed, sample.body());
    Record record;
    REQUIRE(decode(record, plain));
    const Status decoded = decode(record, bytes);
    return !decoded && decoded.error().kind == ErrorKind::Corrupt;
  };
  const auto entry = [](std::string_view value) {
    std::string bytes;
    put_extension(bytes, ExtensionTag::Tags, value);
    return bytes;
  };
  std::string most, one_more;
  for (char c = 'a'; c <= 'q'; ++c) (c < 'q' ? most : one_more) += std::string("\1") + c;
  CHECK_FALSE(refused(entry("\1a\1b")));
  CHECK_FALSE(refused(entry(most)));
  CHECK_FALSE(refused(entry('\x80' + std::string(128, 'x'))));
  CHECK(refused(entry("\1b\1a")));
  CHECK(refused(entry("\1a\1a")));
  CHECK(refused(entry("\2ab\1a")));
  CHECK(refused(entry(most + one_more)));
  CHECK(refused(entry("")));
  CHECK(refused(entry(std::string("\0", 1))));
  CHECK(refused(entry(std::string("\1a\0\1b", 5))));
  CHECK(refused(entry('\x81' + std::string(129, 'x'))));
  CHECK(refused(entry("\3ab")));
  CHECK(refused(entry("\1a\1")));
  CHECK(refused(entry("\1b\1a") + entry("\1a")));
  CHECK(refused(entry("\1a").substr(0, 5)));  // the entry leads out of the area
  CHECK(refused(entry("\1a").substr(0, 3)));
  CHECK(refused(entry("\1a") + "x"));
}

TEST_CASE("Record.AbsentAndEmptyMembersAreNotTheSame") {
  Sample absent = typical(), empty = typical();
  absent.metadata = std::nullopt;
  empty.metadata = "";
  absent.user_id = std::nullopt;
  empty.user_id = "";
  Record record;
  REQUIRE(decode(record, absent.encode()));
  CHECK_FALSE(record.body().metadata);
  CHECK_FALSE(record.header().user_id);
  const Digest leaf = record.leaf();
  REQUIRE(decode(record, empty.encode()));
  CHECK(record.body().metadata == "");
  CHECK(record.header().user_id == "");
  CHECK(record.leaf() != leaf);
  CHECK(body_digest(absent.seed, absent.body()) != body_digest(empty.seed, empty.body()));
}

TEST_CASE("Record.EveryTruncationIsRefused") {
  const std::string bytes = typical().encode();
  Record record;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const Status decoded = decode(record, std::string_view(bytes).substr(0, size));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().kind == ErrorKind::Corrupt);
  }
  CHECK_FALSE(decode(record, bytes + '\0'));
}

TEST_CASE("Record.EverySingleBitFlipIsRefused") {
  const std::string bytes = typical().encode();
  Record record;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    CAPTURE(bit);
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Status decoded = decode(record, flipped);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().kind == ErrorKind::Corrupt);
  }
}

TEST_CASE("Record.AChangeUnderARightChecksumIsRefusedOrChangesTheLeaf") {
  // Who can write the disk can also fix the checksum: then the tree must tell, and nothing may be read out of bounds.
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100; ++i) {
    const std::string bytes = i == 0 ? typical().encode() : random_sample(random).encode();
    Record record;
    REQUIRE(decode(record, bytes));
    const Digest leaf = record.leaf();
    for (int flip = 0; flip < 300; ++flip) {
      const std::size_t bit = random() % (bytes.size() * 8);
      if (bit / 8 >= 8 && bit / 8 < 16) continue;  // the checksum itself
      std::string changed = bytes;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      fix_record_checksum(changed);
      if (decode(record, changed)) CHECK_MESSAGE(record.leaf() != leaf, "bit " << bit);
    }
  }
}

TEST_CASE("Record.GarbageIsRefused") {
  std::mt19937_64 random(7);
  Record record;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 400, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (bytes.size() >= 16) {
      put_at<std::uint32_t>(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
      if (i % 2 == 0) put_at<std::uint32_t>(bytes.data() + 4, static_cast<std::uint32_t>(random() % 8));
      fix_record_checksum(bytes);
    }
    if (i % 2 == 0 && bytes.size() >= 120) {
      // Far enough into the decoder to reach the members.
      bytes[16] = 1;
      bytes[17] = 1;
      put_at<std::uint16_t>(bytes.data() + 20, static_cast<std::uint16_t>(80 + random() % (bytes.size() - 96)));
      fix_record_checksum(bytes);
    }
    CHECK_FALSE(decode(record, bytes));
  }
}

TEST_CASE("Record.ImpossibleFieldsAreRefused") {
  CHECK(decode_with(0, 2).error().kind == ErrorKind::NewerFormat);
  CHECK(decode_with(1, 3).error().kind == ErrorKind::Corrupt);
  SUBCASE("a header longer or shorter than its fields") {
    const auto length = static_cast<std::uint8_t>(typical().encode()[kRecordFrameBytes + 4]);
    CHECK_FALSE(decode_with(4, static_cast<std::uint8_t>(length + 1)));
    CHECK_FALSE(decode_with(4, static_cast<std::uint8_t>(length - 1)));
    CHECK_FALSE(decode_with(4, 79));
    CHECK_FALSE(decode_with(5, 0xFF));
  }
  SUBCASE("a body length that the record does not have") {
    CHECK_FALSE(decode_with(64, 8));
    CHECK_FALSE(decode_with(67, 0xFF));
  }
  SUBCASE("a place beyond the commit") {
    CHECK_FALSE(decode_with(76, 1));
    CHECK_FALSE(decode_with(78, 0));
  }
  SUBCASE("a string beyond the header") { CHECK_FALSE(decode_with(80, 255)); }
}

TEST_CASE("Record.UnknownOrImpossibleRedactionIsRefused") {
  Record record;
  for (const std::size_t at : {4, 5, 6, 7}) {
    std::string bytes = typical().encode();
    bytes[at] = 8;
    fix_record_checksum(bytes);
    CHECK_FALSE(decode(record, bytes));
  }
  std::string bytes = typical().encode();
  bytes[4] = 4;  // private fields, which it does not have
  fix_record_checksum(bytes);
  const Status decoded = decode(record, bytes);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().message.find("absent") != std::string::npos);
}

TEST_CASE("Record.SaltsOfOneSeedDiffer") {
  const Seed seed{1, 2, 3};
  const auto data = member_salt(seed, BodyMember::Data);
  CHECK(data != member_salt(seed, BodyMember::Metadata));
  CHECK(data != member_salt(seed, BodyMember::Private));
  CHECK(data != member_salt(Seed{1, 2, 4}, BodyMember::Data));
  // The definition, written out.
  const std::string text =
      std::string("stele/salt/v1") + '\1' + std::string(reinterpret_cast<const char*>(seed.data()), 16);
  const Digest digest = sha256({text});
  CHECK(std::equal(digest.begin(), digest.begin() + 16, member_salt(seed, BodyMember::Metadata).begin()));
}

TEST_CASE("Record.BodyDigestAndLeafFollowTheirDefinition") {
  const Sample sample = typical();
  const auto salted = [&](BodyMember member, std::string_view bytes) {
    const auto salt = member_salt(sample.seed, member);
    const Digest digest =
        sha256({std::string(reinterpret_cast<const char*>(salt.data()), salt.size()) + std::string(bytes)});
    return std::string(as_bytes(digest));
  };
  const Digest body = sha256({salted(BodyMember::Data, *sample.data) + salted(BodyMember::Metadata, *sample.metadata) +
                              std::string(32, '\0')});
  CHECK(body_digest(sample.seed, sample.body()) == body);
  Record record;
  REQUIRE(decode(record, sample.encode()));
  CHECK(record.leaf() ==
        sha256({std::string(1, '\0') + std::string(record.header_bytes()) + std::string(as_bytes(body))}));
}

TEST_CASE("RecordLength.RefusesWhatCannotBeARecord") {
  std::string frame(16, '\0');
  CHECK_FALSE(record_length(frame));
  put_at<std::uint32_t>(frame.data(), 95);
  CHECK_FALSE(record_length(frame));
  put_at<std::uint32_t>(frame.data(), 96);
  CHECK(record_length(frame).value() == 96);
  CHECK_FALSE(record_length(std::string_view(frame).substr(0, 15)));
}
