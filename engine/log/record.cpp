#include "engine/log/record.h"

#include <algorithm>
#include <cstring>

#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele {
namespace {

constexpr std::uint8_t kHeaderVersion = 1;
constexpr std::size_t kFixedHeaderBytes = 80;
constexpr std::size_t kSeedBytes = 16;
constexpr std::size_t kDigestBytes = 32;

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
  kHasAction = 1U << 9,
  kUserIdIsUuid = 1U << 10,
  kCorrelationIdIsUuid = 1U << 11,
  kCausationIdIsUuid = 1U << 12,
  kGaveSchemaVersion = 1U << 13,
  kGaveCorrelationId = 1U << 14,
  kGaveAggregateType = 1U << 15,
};

Error corrupt(const char* what) { return Error{.kind = ErrorKind::Corrupt, .message = std::string("record: ") + what}; }

void put_text(std::string& to, std::string_view text) {
  STELE_CHECK(text.size() <= kStringBytesMax);
  put<std::uint8_t>(to, static_cast<std::uint8_t>(text.size()));
  to.append(text);
}

void put_id(std::string& to, std::string_view text, const std::optional<Uuid>& uuid) {
  if (uuid) {
    to.append(as_bytes(*uuid));
  } else {
    put_text(to, text);
  }
}

std::uint32_t length_of(const std::optional<std::string_view>& member) {
  return member ? static_cast<std::uint32_t>(member->size()) : 0;
}

/// The UUID that can stand for the text.
std::optional<Uuid> uuid_form(const std::optional<std::string_view>& text) {
  return text ? parse_canonical_uuid(*text) : std::nullopt;
}

void put_header(std::string& to, const RecordHeader& header) {
  const std::size_t begin = to.size();
  std::uint16_t flags = 0;
  const auto flag = [&flags](bool condition, Flag bit) {
    if (condition) flags = static_cast<std::uint16_t>(flags | bit);
  };
  const std::optional<Uuid> user_uuid = uuid_form(header.user_id);
  const std::optional<Uuid> correlation_uuid = uuid_form(header.correlation_id);
  const std::optional<Uuid> causation_uuid = uuid_form(header.causation_id);
  flag(header.data_length.has_value(), kHasData);
  flag(header.metadata_length.has_value(), kHasMetadata);
  flag(header.private_length.has_value(), kHasPrivate);
  flag(header.occurred_at.has_value(), kHasOccurredAt);
  flag(header.aggregate_type.has_value(), kHasAggregateType);
  flag(header.user_id.has_value(), kHasUserId);
  flag(header.principal.has_value(), kHasPrincipal);
  flag(header.correlation_id.has_value(), kHasCorrelationId);
  flag(header.causation_id.has_value(), kHasCausationId);
  flag(header.action.has_value(), kHasAction);
  flag(user_uuid.has_value(), kUserIdIsUuid);
  flag(correlation_uuid.has_value(), kCorrelationIdIsUuid);
  flag(causation_uuid.has_value(), kCausationIdIsUuid);
  flag(header.given.schema_version, kGaveSchemaVersion);
  flag(header.given.correlation_id, kGaveCorrelationId);
  flag(header.given.aggregate_type, kGaveAggregateType);

  put<std::uint8_t>(to, kHeaderVersion);
  put<std::uint8_t>(to, static_cast<std::uint8_t>(header.kind));
  put<std::uint16_t>(to, flags);
  put<std::uint16_t>(to, 0);  // header length, patched below
  put<std::uint8_t>(to, header.outcome);
  put<std::uint8_t>(to, header.retention_class);
  put<std::uint64_t>(to, header.position.value());
  put<std::uint64_t>(to, header.sequence.value());
  put<std::int64_t>(to, header.time.micros);
  put<std::int64_t>(to, header.occurred_at ? header.occurred_at->micros : 0);
  to.append(as_bytes(header.event_id));
  put<std::uint32_t>(to, header.schema_version);
  put<std::uint32_t>(to, header.key_id);
  put<std::uint32_t>(to, header.data_length.value_or(0));
  put<std::uint32_t>(to, header.metadata_length.value_or(0));
  put<std::uint32_t>(to, header.private_length.value_or(0));
  put<std::uint16_t>(to, header.commit_index);
  put<std::uint16_t>(to, header.commit_count);
  put_text(to, header.aggregate_id);
  if (header.aggregate_type) put_text(to, *header.aggregate_type);
  put_text(to, header.event_type);
  if (header.user_id) put_id(to, *header.user_id, user_uuid);
  if (header.principal) put_text(to, *header.principal);
  if (header.correlation_id) put_id(to, *header.correlation_id, correlation_uuid);
  if (header.causation_id) put_id(to, *header.causation_id, causation_uuid);
  if (header.action) put_text(to, *header.action);
  put<std::uint16_t>(to, static_cast<std::uint16_t>(header.extensions.size()));
  to.append(header.extensions);

  const std::size_t length = to.size() - begin;
  STELE_CHECK(length <= kHeaderBytesMax);
  put_at<std::uint16_t>(to.data() + begin + 4, static_cast<std::uint16_t>(length));
}

std::string_view as_text(const std::array<std::uint8_t, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Digest member_digest(const Seed& seed, BodyMember member, const std::optional<std::string_view>& bytes) {
  if (!bytes) return Digest{};
  return sha256({as_text(member_salt(seed, member)), *bytes});
}

template <class T>
std::optional<T> optional_if(bool has, T value) {
  return has ? std::optional<T>(value) : std::nullopt;
}

}  // namespace

std::array<std::uint8_t, 16> member_salt(const Seed& seed, BodyMember member) {
  const char tag = static_cast<char>(member);
  const Digest digest = sha256({"stele/salt/v1", std::string_view(&tag, 1), as_text(seed)});
  std::array<std::uint8_t, 16> salt;
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

std::size_t record_bytes_max(const RecordHeader& header, const RecordBody& body) {
  const auto text = [](const std::optional<std::string_view>& value) { return value ? 1 + value->size() : 0; };
  return kRecordFrameBytes + kFixedHeaderBytes + 2 + header.extensions.size() + 1 + header.aggregate_id.size() + 1 +
         header.event_type.size() + text(header.aggregate_type) + text(header.user_id) + text(header.principal) +
         text(header.correlation_id) + text(header.causation_id) + text(header.action) + kSeedBytes +
         length_of(body.data) + length_of(body.metadata) + length_of(body.private_fields);
}

EncodedRecord append_record(std::string& to, const RecordHeader& header, const Seed& seed, const RecordBody& body) {
  STELE_CHECK(header.data_length.has_value() == body.data.has_value() &&
              header.data_length.value_or(0) == length_of(body.data));
  STELE_CHECK(header.metadata_length.has_value() == body.metadata.has_value() &&
              header.metadata_length.value_or(0) == length_of(body.metadata));
  STELE_CHECK(header.private_length.has_value() == body.private_fields.has_value() &&
              header.private_length.value_or(0) == length_of(body.private_fields));
  const std::size_t begin = to.size();
  to.append(kRecordFrameBytes, '\0');
  const std::size_t header_begin = to.size();
  put_header(to, header);
  const std::size_t header_end = to.size();
  if (body.data || body.metadata || body.private_fields) to.append(as_text(seed));
  if (body.data) to.append(*body.data);
  if (body.metadata) to.append(*body.metadata);
  if (body.private_fields) to.append(*body.private_fields);
  const std::size_t length = to.size() - begin;
  char* frame = to.data() + begin;
  put_at<std::uint32_t>(frame, static_cast<std::uint32_t>(length));
  put_at<std::uint64_t>(frame + 8, xxh3({frame, 8}, {frame + kRecordFrameBytes, length - kRecordFrameBytes}));
  return EncodedRecord{begin, header_begin, header_end - header_begin};
}

Result<std::uint32_t> record_length(std::string_view frame) {
  if (frame.size() < kRecordFrameBytes) return corrupt("truncated frame");
  const auto length = get_at<std::uint32_t>(frame.data());
  if (length < kRecordFrameBytes + kFixedHeaderBytes) return corrupt("impossible length");
  return length;
}

std::span<char> Record::prepare(std::size_t size) {
  bytes_.resize(size);
  return {bytes_.data(), size};
}

Status Record::decode() {
  STELE_ASSIGN(const std::uint32_t length, record_length(bytes_));
  if (length != bytes_.size()) return corrupt("length does not agree with its place");
  char* const frame = bytes_.data();
  const auto checksum = get_at<std::uint64_t>(frame + 8);
  std::memcpy(frame + 8, frame, 8);  // in place of the checksum, so that what it covers lies in one piece
  const bool intact = xxh3({frame + 8, length - 8}) == checksum;
  put_at<std::uint64_t>(frame + 8, checksum);
  if (!intact) return corrupt("checksum mismatch");
  redacted_ = get_at<std::uint8_t>(frame + 4);
  if ((redacted_ & ~0x07U) != 0 || get_at<std::uint8_t>(frame + 5) != 0 || get_at<std::uint16_t>(frame + 6) != 0) {
    return corrupt("unknown frame flags");
  }

  const std::string_view content(frame + kRecordFrameBytes, length - kRecordFrameBytes);
  const auto header_length = get_at<std::uint16_t>(content.data() + 4);
  if (header_length < kFixedHeaderBytes || header_length > content.size() || header_length > kHeaderBytesMax) {
    return corrupt("impossible header length");
  }
  header_bytes_ = content.substr(0, header_length);
  const char* const fixed = header_bytes_.data();
  if (get_at<std::uint8_t>(fixed) != kHeaderVersion) {
    return Error{.kind = ErrorKind::NewerFormat, .message = "record: unknown header version"};
  }
  const auto kind = get_at<std::uint8_t>(fixed + 1);
  if (kind > static_cast<std::uint8_t>(RecordKind::Action)) return corrupt("unknown kind");
  // Every member is assigned, because what an earlier record left must not stay; clearing them all first cost as much again.
  header_.kind = static_cast<RecordKind>(kind);
  const auto flags = get_at<std::uint16_t>(fixed + 2);
  const auto has = [flags](Flag flag) { return (flags & flag) != 0; };
  header_.outcome = get_at<std::uint8_t>(fixed + 6);
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
  const auto id_if = [&](Flag flag, Flag is_uuid, std::array<char, 36>& buffer, std::optional<std::string_view>& to) {
    if (!has(flag) || !has(is_uuid)) return text_if(flag, to);
    write_uuid(in.take_uuid(), buffer.data());
    to = std::string_view(buffer.data(), buffer.size());
  };
  header_.aggregate_id = text();
  text_if(kHasAggregateType, header_.aggregate_type);
  header_.event_type = text();
  id_if(kHasUserId, kUserIdIsUuid, uuid_texts_[0], header_.user_id);
  text_if(kHasPrincipal, header_.principal);
  id_if(kHasCorrelationId, kCorrelationIdIsUuid, uuid_texts_[1], header_.correlation_id);
  id_if(kHasCausationId, kCausationIdIsUuid, uuid_texts_[2], header_.causation_id);
  text_if(kHasAction, header_.action);
  header_.extensions = in.take_bytes(in.take<std::uint16_t>());
  if (!in.at_end()) return corrupt("header fields do not fill the header");
  if (header_.commit_index >= header_.commit_count) return corrupt("place in the commit is beyond its count");

  // Body: the seed while nothing is redacted; after that a salt for each member that is left and a digest for each that is not.
  ByteReader rest(content.substr(header_length));
  std::size_t secret_bytes = 0;
  const auto count_secret = [&](BodyMember member, const std::optional<std::uint32_t>& bytes) {
    if (bytes) secret_bytes += redacted(member) ? kDigestBytes : kSeedBytes;
    return bytes || !redacted(member);
  };
  if (!count_secret(BodyMember::Data, header_.data_length) ||
      !count_secret(BodyMember::Metadata, header_.metadata_length) ||
      !count_secret(BodyMember::Private, header_.private_length)) {
    return corrupt("an absent member is marked as redacted");
  }
  if (redacted_ == 0) secret_bytes = std::min(secret_bytes, kSeedBytes);
  secrets_ = rest.take_bytes(secret_bytes);
  const auto take = [&](BodyMember member, const std::optional<std::uint32_t>& bytes, std::optional<std::string_view>& to) {
    if (bytes && !redacted(member)) {
      to = rest.take_bytes(*bytes);
    } else {
      to.reset();
    }
  };
  take(BodyMember::Data, header_.data_length, body_.data);
  take(BodyMember::Metadata, header_.metadata_length, body_.metadata);
  take(BodyMember::Private, header_.private_length, body_.private_fields);
  if (!rest.at_end()) return corrupt("body lengths do not fill the record");
  return {};
}

Digest Record::body_digest() const {
  if (redacted_ == 0) {
    Seed seed{};
    std::copy_n(secrets_.begin(), secrets_.size(), reinterpret_cast<char*>(seed.data()));
    return stele::body_digest(seed, body_);
  }
  const std::optional<std::uint32_t> lengths[3] = {header_.data_length, header_.metadata_length, header_.private_length};
  const std::optional<std::string_view> members[3] = {body_.data, body_.metadata, body_.private_fields};
  ByteReader secrets(secrets_);
  Digest digests[3] = {};
  for (int member = 0; member < 3; ++member) {
    if (!lengths[member]) continue;
    if ((redacted_ >> member) & 1) {
      const std::string_view stored = secrets.take_bytes(kDigestBytes);
      std::copy_n(stored.begin(), stored.size(), reinterpret_cast<char*>(digests[member].data()));
    } else {
      digests[member] = sha256({secrets.take_bytes(kSeedBytes), *members[member]});
    }
  }
  return sha256({as_bytes(digests[0]), as_bytes(digests[1]), as_bytes(digests[2])});
}

}  // namespace stele
