#include "engine/log/record.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"
#include "engine/log/record_extensions.h"

namespace stele {
namespace {

constexpr std::uint8_t kHeaderVersion = 1;
constexpr std::size_t kFixedHeaderBytes = 80;
constexpr std::size_t kSeedBytes = 16;
constexpr std::size_t kDigestBytes = 32;

constexpr std::uint16_t kNoFlag = 1U << 9;
enum Flag : std::uint16_t {
  kHasData = 1U << 0,
  kHasMetadata = 1U << 1,
  kHasPrivate = 1U << 2,
  kHasOccurredAt = 1U << 3,
  kHasAggregateType = 1U << 4,
  kHasUserId = 1U << 5,
  kHasPrincipal = 1U << 6,
  kHasCorrelationId = 1U << 7,
  kHasCausationId = 1U << 8,
  kUserIdIsUuid = 1U << 10,
  kCorrelationIdIsUuid = 1U << 11,
  kCausationIdIsUuid = 1U << 12,
  kGaveSchemaVersion = 1U << 13,
  kGaveCorrelationId = 1U << 14,
  kGaveAggregateType = 1U << 15,
};

Error corrupt_record(const char* what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::string("record: ") + what};
}

/// Writes forward into room that is known to suffice.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}
  template <class T>
  void put(T value) {
    put_at<T>(at_, value);
    at_ += sizeof value;
  }
  void put_bytes(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void put_text(std::string_view text) {
    STELE_CHECK(text.size() <= kStringBytesMax);
    put<std::uint8_t>(static_cast<std::uint8_t>(text.size()));
    put_bytes(text);
  }
  void put_id(std::string_view text, const std::optional<Uuid>& uuid) {
    if (uuid) {
      put_bytes(as_bytes(*uuid));
    } else {
      put_text(text);
    }
  }
  [[nodiscard]] char* at() const { return at_; }

 private:
  char* at_;
};

std::uint32_t length_of(const std::optional<std::string_view>& member) {
  return member ? static_cast<std::uint32_t>(member->size()) : 0;
}

/// The UUID that can stand for the text.
std::optional<Uuid> uuid_form(const std::optional<std::string_view>& text) {
  return text ? parse_canonical_uuid(*text) : std::nullopt;
}

/// An upper bound of what put_header() writes.
std::size_t header_bytes_max(const RecordHeader& header) {
  const auto text = [](const std::optional<std::string_view>& value) { return value ? 1 + value->size() : 0; };
  return kFixedHeaderBytes + 2 + header.extensions.size() + 1 + header.aggregate_id.size() + 1 +
         header.event_type.size() + text(header.aggregate_type) + text(header.user_id) + text(header.principal) +
         text(header.correlation_id) + text(header.causation_id);
}

/// Returns the end of what it wrote.
char* put_header(char* const begin, const RecordHeader& header) {
  std::uint16_t flags = 0;
  const auto flag = [&flags](bool condition, Flag bit) {
    if (condition) flags = static_cast<std::uint16_t>(flags | bit);
  };
  const IdUuids uuids = header.id_uuids ? *header.id_uuids : header.find_id_uuids();
  flag(header.data_length.has_value(), kHasData);
  flag(header.metadata_length.has_value(), kHasMetadata);
  flag(header.private_length.has_value(), kHasPrivate);
  flag(header.occurred_at.has_value(), kHasOccurredAt);
  flag(header.aggregate_type.has_value(), kHasAggregateType);
  flag(header.user_id.has_value(), kHasUserId);
  flag(header.principal.has_value(), kHasPrincipal);
  flag(header.correlation_id.has_value(), kHasCorrelationId);
  flag(header.causation_id.has_value(), kHasCausationId);
  flag(uuids.user.has_value(), kUserIdIsUuid);
  flag(uuids.correlation.has_value(), kCorrelationIdIsUuid);
  flag(uuids.causation.has_value(), kCausationIdIsUuid);
  flag(header.given.schema_version, kGaveSchemaVersion);
  flag(header.given.correlation_id, kGaveCorrelationId);
  flag(header.given.aggregate_type, kGaveAggregateType);

  Writer to(begin);
  to.put<std::uint8_t>(kHeaderVersion);
  to.put<std::uint8_t>(static_cast<std::uint8_t>(header.kind));
  to.put<std::uint16_t>(flags);
  to.put<std::uint16_t>(0);  // header length, patched below
  to.put<std::uint8_t>(static_cast<std::uint8_t>(header.outcome));
  to.put<std::uint8_t>(header.retention_class);
  to.put<std::uint64_t>(header.position.value());
  to.put<std::uint64_t>(header.sequence.value());
  to.put<std::int64_t>(header.time.micros);
  to.put<std::int64_t>(header.occurred_at ? header.occurred_at->micros : 0);
  to.put_bytes(as_bytes(header.event_id));
  to.put<std::uint32_t>(header.schema_version);
  to.put<std::uint32_t>(header.key_id);
  to.put<std::uint32_t>(header.data_length.value_or(0));
  to.put<std::uint32_t>(header.metadata_length.value_or(0));
  to.put<std::uint32_t>(header.private_length.value_or(0));
  to.put<std::uint16_t>(header.commit_index);
  to.put<std::uint16_t>(header.commit_count);
  to.put_text(header.aggregate_id);
  if (header.aggregate_type) to.put_text(*header.aggregate_type);
  to.put_text(header.event_type);
  if (header.user_id) to.put_id(*header.user_id, uuids.user);
  if (header.principal) to.put_text(*header.principal);
  if (header.correlation_id) to.put_id(*header.correlation_id, uuids.correlation);
  if (header.causation_id) to.put_id(*header.causation_id, uuids.causation);
  to.put<std::uint16_t>(static_cast<std::uint16_t>(header.extensions.size()));
  to.put_bytes(header.extensions);

  const auto length = static_cast<std::size_t>(to.at() - begin);
  STELE_CHECK(length <= kHeaderBytesMax);
  put_at<std::uint16_t>(begin + 4, static_cast<std::uint16_t>(length));
  return to.at();
}

std::string_view as_text(const std::array<std::uint8_t, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Digest member_digest(const Seed& seed, BodyMember member, const std::optional<std::string_view>& bytes) {
  if (!bytes) return Digest{};
  return sha256({as_text(member_salt(seed, member)), *bytes});
}

/// Length and checksum of the record that `to` ends with.
void finish_record(std::string& to, std::size_t begin) {
  const std::size_t length = to.size() - begin;
  char* const frame = to.data() + begin;
  put_at<std::uint32_t>(frame, static_cast<std::uint32_t>(length));
  put_at<std::uint64_t>(frame + 8, xxh3({frame, 8}, {frame + kRecordFrameBytes, length - kRecordFrameBytes}));
}

template <class T>
std::optional<T> optional_if(bool has, T value) {
  return has ? std::optional<T>(value) : std::nullopt;
}

}  // namespace

Salt member_salt(const Seed& seed, BodyMember member) {
  const char tag = static_cast<char>(member);
  const Digest digest = sha256({"stele/salt/v1", std::string_view(&tag, 1), as_text(seed)});
  Salt salt;
  std::copy_n(digest.begin(), salt.size(), salt.begin());
  return salt;
}

Digest body_digest(const Seed& seed, const RecordBody& body) {
  const Digest data = member_digest(seed, BodyMember::Data, body.data);
  const Digest metadata = member_digest(seed, BodyMember::Metadata, body.metadata);
  const Digest private_fields = member_digest(seed, BodyMember::Private, body.private_fields);
  return sha256({as_bytes(data), as_bytes(metadata), as_bytes(private_fields)});
}

Digest leaf_hash(std::string_view header, const Digest& body) {
  return sha256({std::string_view("\0", 1), header, as_bytes(body)});
}

std::string_view outcome_name(ActionOutcome outcome) {
  switch (outcome) {
    case ActionOutcome::Done:
      return "done";
    case ActionOutcome::Refused:
      return "refused";
    case ActionOutcome::Failed:
      break;
  }
  return "failed";
}

bool is_system(const RecordHeader& header) {
  return header.kind != RecordKind::Event || header.aggregate_id.starts_with('$') || header.event_type.starts_with('$');
}

IdUuids RecordHeader::find_id_uuids() const {
  return IdUuids{uuid_form(user_id), uuid_form(correlation_id), uuid_form(causation_id)};
}

std::size_t record_bytes_max(const RecordHeader& header, const RecordBody& body) {
  return kRecordFrameBytes + header_bytes_max(header) + kSeedBytes + length_of(body.data) + length_of(body.metadata) +
         length_of(body.private_fields);
}

EncodedRecord append_record(std::string& to, const RecordHeader& header, const Seed& seed, const RecordBody& body) {
  STELE_CHECK(header.data_length.has_value() == body.data.has_value() &&
              header.data_length.value_or(0) == length_of(body.data));
  STELE_CHECK(header.metadata_length.has_value() == body.metadata.has_value() &&
              header.metadata_length.value_or(0) == length_of(body.metadata));
  STELE_CHECK(header.private_length.has_value() == body.private_fields.has_value() &&
              header.private_length.value_or(0) == length_of(body.private_fields));
  const std::size_t begin = to.size();
  const std::size_t header_begin = begin + kRecordFrameBytes;
  to.resize(header_begin + header_bytes_max(header));
  const auto header_end = static_cast<std::size_t>(put_header(to.data() + header_begin, header) - to.data());
  to.resize(header_end);
  if (body.data || body.metadata || body.private_fields) to.append(as_text(seed));
  if (body.data) to.append(*body.data);
  if (body.metadata) to.append(*body.metadata);
  if (body.private_fields) to.append(*body.private_fields);
  finish_record(to, begin);
  return EncodedRecord{begin, header_begin, header_end - header_begin};
}

Result<std::uint32_t> record_length(std::string_view frame) {
  if (frame.size() < kRecordFrameBytes) return corrupt_record("truncated frame");
  const auto length = get_at<std::uint32_t>(frame.data());
  if (length < kRecordFrameBytes + kFixedHeaderBytes) return corrupt_record("impossible length");
  return length;
}

std::span<char> Record::prepare(std::size_t size) {
  bytes_.resize(size);
  return {bytes_.data(), size};
}

Status Record::decode() {
  STELE_ASSIGN(const std::uint32_t length, record_length(bytes_));
  if (length != bytes_.size()) return corrupt_record("length does not agree with its place");
  char* const frame = bytes_.data();
  const auto checksum = get_at<std::uint64_t>(frame + 8);
  std::memcpy(frame + 8, frame, 8);  // in place of the checksum, so that what it covers lies in one piece
  const bool intact = xxh3({frame + 8, length - 8}) == checksum;
  put_at<std::uint64_t>(frame + 8, checksum);
  if (!intact) return corrupt_record("checksum mismatch");
  redacted_.bits = get_at<std::uint8_t>(frame + 4);
  if (!redacted_.without(BodyMemberSet::all()).empty() || get_at<std::uint8_t>(frame + 5) != 0 ||
      get_at<std::uint16_t>(frame + 6) != 0) {
    return corrupt_record("unknown frame flags");
  }

  const std::string_view content(frame + kRecordFrameBytes, length - kRecordFrameBytes);
  const auto header_length = get_at<std::uint16_t>(content.data() + 4);
  if (header_length < kFixedHeaderBytes || header_length > content.size() || header_length > kHeaderBytesMax) {
    return corrupt_record("impossible header length");
  }
  header_bytes_ = content.substr(0, header_length);
  const char* const fixed = header_bytes_.data();
  if (get_at<std::uint8_t>(fixed) != kHeaderVersion) {
    return Error{.kind = ErrorKind::NewerFormat, .message = "record: unknown header version"};
  }
  const auto kind = get_at<std::uint8_t>(fixed + 1);
  if (kind > static_cast<std::uint8_t>(RecordKind::Action)) return corrupt_record("unknown kind");
  // Every member is assigned, because what an earlier record left must not stay; clearing them all first cost as much
  // again.
  header_.kind = static_cast<RecordKind>(kind);
  const auto flags = get_at<std::uint16_t>(fixed + 2);
  if ((flags & kNoFlag) != 0) return corrupt_record("unknown flags");
  const auto has = [flags](Flag flag) { return (flags & flag) != 0; };
  const auto outcome = get_at<std::uint8_t>(fixed + 6);
  if (outcome > static_cast<std::uint8_t>(ActionOutcome::Failed) ||
      (outcome != 0 && header_.kind != RecordKind::Action)) {
    return corrupt_record("impossible outcome");
  }
  header_.outcome = static_cast<ActionOutcome>(outcome);
  header_.retention_class = get_at<std::uint8_t>(fixed + 7);
  header_.position = Position{get_at<std::uint64_t>(fixed + 8)};
  header_.sequence = SequenceNumber{get_at<std::uint64_t>(fixed + 16)};
  header_.time = Timestamp{get_at<std::int64_t>(fixed + 24)};
  header_.occurred_at = optional_if(has(kHasOccurredAt), Timestamp{get_at<std::int64_t>(fixed + 32)});
  std::memcpy(header_.event_id.bytes.data(), fixed + 40, header_.event_id.bytes.size());
  header_.schema_version = get_at<std::uint32_t>(fixed + 56);
  header_.key_id = get_at<std::uint32_t>(fixed + 60);
  header_.data_length = optional_if(has(kHasData), get_at<std::uint32_t>(fixed + 64));
  header_.metadata_length = optional_if(has(kHasMetadata), get_at<std::uint32_t>(fixed + 68));
  header_.private_length = optional_if(has(kHasPrivate), get_at<std::uint32_t>(fixed + 72));
  header_.commit_index = get_at<std::uint16_t>(fixed + 76);
  header_.commit_count = get_at<std::uint16_t>(fixed + 78);
  header_.given = GivenByClient{.schema_version = has(kGaveSchemaVersion),
                                .correlation_id = has(kGaveCorrelationId),
                                .aggregate_type = has(kGaveAggregateType)};

  ByteReader in(header_bytes_.substr(kFixedHeaderBytes));
  const auto text = [&in] { return in.take_bytes(in.take<std::uint8_t>()); };
  const auto text_if = [&](Flag flag, std::optional<std::string_view>& to) {
    if (has(flag)) {
      to = text();
    } else {
      to.reset();
    }
  };
  IdUuids& uuids = header_.id_uuids ? *header_.id_uuids : header_.id_uuids.emplace();
  const auto id_if = [&](Flag flag, Flag is_uuid, std::array<char, 36>& buffer, std::optional<std::string_view>& to,
                         std::optional<Uuid>& uuid) {
    uuid.reset();
    if (!has(flag) || !has(is_uuid)) return text_if(flag, to);
    uuid = in.take_uuid();
    write_uuid(*uuid, buffer.data());
    to = std::string_view(buffer.data(), buffer.size());
  };
  header_.aggregate_id = text();
  text_if(kHasAggregateType, header_.aggregate_type);
  header_.event_type = text();
  id_if(kHasUserId, kUserIdIsUuid, uuid_texts_[0], header_.user_id, uuids.user);
  text_if(kHasPrincipal, header_.principal);
  id_if(kHasCorrelationId, kCorrelationIdIsUuid, uuid_texts_[1], header_.correlation_id, uuids.correlation);
  id_if(kHasCausationId, kCausationIdIsUuid, uuid_texts_[2], header_.causation_id, uuids.causation);
  header_.extensions = in.take_bytes(in.take<std::uint16_t>());
  if (!in.at_end()) return corrupt_record("header fields do not fill the header");
  if (!read_extensions(header_)) return corrupt_record("malformed extensions");
  if (header_.commit_index >= header_.commit_count) return corrupt_record("place in the commit is beyond its count");

  // Body: the seed while nothing is redacted; after that a salt for each member that is left and a digest for each that
  // is not.
  ByteReader rest(content.substr(header_length));
  std::size_t secret_bytes = 0;
  const auto count_secret = [&](BodyMember member, const std::optional<std::uint32_t>& bytes) {
    if (bytes) secret_bytes += redacted(member) ? kDigestBytes : kSeedBytes;
    return bytes || !redacted(member);
  };
  if (!count_secret(BodyMember::Data, header_.data_length) ||
      !count_secret(BodyMember::Metadata, header_.metadata_length) ||
      !count_secret(BodyMember::Private, header_.private_length)) {
    return corrupt_record("an absent member is marked as redacted");
  }
  if (redacted_.empty()) secret_bytes = std::min(secret_bytes, kSeedBytes);
  secrets_ = rest.take_bytes(secret_bytes);
  const auto take = [&](BodyMember member, const std::optional<std::uint32_t>& bytes,
                        std::optional<std::string_view>& to) {
    if (bytes && !redacted(member)) {
      to = rest.take_bytes(*bytes);
    } else {
      to.reset();
    }
  };
  take(BodyMember::Data, header_.data_length, body_.data);
  take(BodyMember::Metadata, header_.metadata_length, body_.metadata);
  take(BodyMember::Private, header_.private_length, body_.private_fields);
  if (!rest.at_end()) return corrupt_record("body lengths do not fill the record");
  return {};
}

Seed Record::seed() const {
  STELE_CHECK(redacted_.empty());
  Seed seed{};
  std::copy_n(secrets_.begin(), secrets_.size(), reinterpret_cast<char*>(seed.data()));
  return seed;
}

BodyMemberSet Record::members() const {
  BodyMemberSet present;
  if (header_.data_length) present.add(BodyMember::Data);
  if (header_.metadata_length) present.add(BodyMember::Metadata);
  if (header_.private_length) present.add(BodyMember::Private);
  return present;
}

std::optional<std::string_view> Record::bytes_of(BodyMember member) const {
  switch (member) {
    case BodyMember::Data:
      return body_.data;
    case BodyMember::Metadata:
      return body_.metadata;
    case BodyMember::Private:
      return body_.private_fields;
  }
  return std::nullopt;
}

/// Of a record with redacted members, one that is present: its salt, or its digest if it is redacted itself.
std::string_view Record::secret_of(BodyMember member) const {
  const std::optional<std::uint32_t> lengths[3] = {header_.data_length, header_.metadata_length,
                                                   header_.private_length};
  ByteReader secrets(secrets_);
  for (std::size_t before = 0;; ++before) {
    if (!lengths[before]) continue;
    const std::string_view secret = secrets.take_bytes(redacted(kBodyMembers[before]) ? kDigestBytes : kSeedBytes);
    if (kBodyMembers[before] == member) return secret;
  }
}

std::optional<Salt> Record::salt(BodyMember member) const {
  if (!bytes_of(member)) return std::nullopt;
  if (redacted_.empty()) return member_salt(seed(), member);
  Salt salt;
  const std::string_view stored = secret_of(member);
  std::copy_n(stored.begin(), stored.size(), reinterpret_cast<char*>(salt.data()));
  return salt;
}

Digest Record::member_digest(BodyMember member) const {
  Digest digest{};
  if (const auto bytes = bytes_of(member)) {
    const Salt with = *salt(member);
    return sha256({as_text(with), *bytes});
  }
  if (!redacted(member)) return digest;
  const std::string_view stored = secret_of(member);
  std::copy_n(stored.begin(), stored.size(), reinterpret_cast<char*>(digest.data()));
  return digest;
}

Digest Record::body_digest() const {
  if (redacted_.empty()) return stele::body_digest(seed(), body_);
  const Digest data = member_digest(BodyMember::Data);
  const Digest metadata = member_digest(BodyMember::Metadata);
  const Digest private_fields = member_digest(BodyMember::Private);
  return sha256({as_bytes(data), as_bytes(metadata), as_bytes(private_fields)});
}

void append_redacted_record(std::string& to, const Record& record, BodyMemberSet members) {
  const BodyMemberSet present = record.members();
  const BodyMemberSet redacted = record.redacted_members().with(members).common(present);
  STELE_CHECK(!redacted.empty());
  const std::size_t begin = to.size();
  put<std::uint32_t>(to, 0);  // its length, patched below
  put<std::uint8_t>(to, redacted.bits);
  to.append(3, '\0');
  put<std::uint64_t>(to, 0);  // its checksum, likewise
  to.append(record.header_bytes());
  for (const BodyMember member : kBodyMembers) {
    if (redacted.has(member)) {
      to.append(as_bytes(record.member_digest(member)));
    } else if (present.has(member)) {
      to.append(as_text(*record.salt(member)));
    }
  }
  for (const BodyMember member : kBodyMembers) {
    if (present.without(redacted).has(member)) to.append(*record.bytes_of(member));
  }
  finish_record(to, begin);
}

}  // namespace stele
