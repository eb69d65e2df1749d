#pragma once
// A record: one leaf of the log. The bytes are described in format-spec.md ("Record"); the codec does no I/O.
//
// Leaf = SHA-256(0x00 ‖ header ‖ body digest), body digest = SHA-256(D(data) ‖ D(metadata) ‖ D(private)), D(x) =
// SHA-256(salt ‖ x), 32 zero bytes for an absent member (RFC 9162 leaf hashing over a header and a salted body
// commitment).

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/ids.h"
#include "engine/base/result.h"
#include "engine/log/tag_list.h"

namespace stele {

enum class RecordKind : std::uint8_t {
  Genesis = 0,  ///< position 0: who this log is
  Event = 1,    ///< a domain fact, or a `$` event of the store itself
  Action = 2,   ///< describes what someone did; its event type is the action's name
};

/// What became of an action. An event is always done.
enum class ActionOutcome : std::uint8_t { Done = 0, Refused = 1, Failed = 2 };
[[nodiscard]] std::string_view outcome_name(ActionOutcome outcome);

/// Which values the client sent itself; the others were given by the server. A repeat of an event is compared by these.
struct GivenByClient {
  bool schema_version = false;
  bool correlation_id = false;
  bool aggregate_type = false;
  bool operator==(const GivenByClient&) const = default;
};

/// The UUIDs that user, correlation and causation id are in canonical form, where they are.
struct IdUuids {
  std::optional<Uuid> user;
  std::optional<Uuid> correlation;
  std::optional<Uuid> causation;
};

/// The hashed header, borrowed. Strings are at most 255 bytes each.
struct RecordHeader {
  RecordKind kind = RecordKind::Event;
  GivenByClient given;
  std::uint32_t schema_version = 1;
  Position position;
  SequenceNumber sequence;
  Timestamp time;
  std::optional<Timestamp> occurred_at;
  Uuid event_id;
  /// Place in the atomic commit, from 0, and how many records that commit has.
  std::uint16_t commit_index = 0;
  std::uint16_t commit_count = 1;
  std::uint32_t key_id = 0;  ///< 0 = not encrypted
  std::uint8_t retention_class = 0;
  ActionOutcome outcome = ActionOutcome::Done;
  std::string_view aggregate_id;
  std::optional<std::string_view> aggregate_type;
  std::string_view event_type;
  std::optional<std::string_view> user_id;
  std::optional<std::string_view> principal;
  std::optional<std::string_view> correlation_id;
  std::optional<std::string_view> causation_id;
  std::string_view extensions;  ///< type-length-value area, see format-spec.md (extensions.h)
  // What the extensions say, for whoever reads them; what is encoded is `extensions`.
  TagList tags;
  std::optional<std::string_view> resource;  ///< of an action: what it was about
  // Lengths of the body members; none = absent (which is not the JSON null).
  std::optional<std::uint32_t> data_length;
  std::optional<std::uint32_t> metadata_length;
  std::optional<std::uint32_t> private_length;
  /// Derived from the ids above; none = nobody has looked yet, and whoever needs it does.
  std::optional<IdUuids> id_uuids;

  [[nodiscard]] IdUuids find_id_uuids() const;
};

using Seed = std::array<std::uint8_t, 16>;

/// The body members, borrowed.
struct RecordBody {
  std::optional<std::string_view> data;
  std::optional<std::string_view> metadata;
  std::optional<std::string_view> private_fields;
};

enum class BodyMember : std::uint8_t { Data = 0, Metadata = 1, Private = 2 };
inline constexpr std::array kBodyMembers{BodyMember::Data, BodyMember::Metadata, BodyMember::Private};

/// Some of the members of a body. Bits as in byte 4 of a stored record.
struct BodyMemberSet {
  std::uint8_t bits = 0;

  [[nodiscard]] static constexpr BodyMemberSet all() { return {0x07}; }
  void add(BodyMember member) { bits = static_cast<std::uint8_t>(bits | (1U << static_cast<unsigned>(member))); }
  [[nodiscard]] bool has(BodyMember member) const { return ((bits >> static_cast<unsigned>(member)) & 1U) != 0; }
  [[nodiscard]] bool empty() const { return bits == 0; }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(std::popcount(bits)); }
  [[nodiscard]] BodyMemberSet with(BodyMemberSet other) const { return {static_cast<std::uint8_t>(bits | other.bits)}; }
  [[nodiscard]] BodyMemberSet common(BodyMemberSet other) const {
    return {static_cast<std::uint8_t>(bits & other.bits)};
  }
  [[nodiscard]] BodyMemberSet without(BodyMemberSet other) const {
    return {static_cast<std::uint8_t>(bits & ~static_cast<unsigned>(other.bits))};
  }
  bool operator==(const BodyMemberSet&) const = default;
};

using Salt = std::array<std::uint8_t, 16>;
/// Salt of one member, derived from the record's seed so that showing one salt tells nothing about the others.
[[nodiscard]] Salt member_salt(const Seed& seed, BodyMember member);
[[nodiscard]] Digest body_digest(const Seed& seed, const RecordBody& body);
[[nodiscard]] Digest leaf_hash(std::string_view header, const Digest& body);

inline constexpr std::size_t kHeaderBytesMax = 4096;
inline constexpr std::size_t kStringBytesMax = 255;
inline constexpr std::size_t kRecordFrameBytes = 16;

/// An upper bound of the bytes append_record() adds.
[[nodiscard]] std::size_t record_bytes_max(const RecordHeader& header, const RecordBody& body);

/// Encodes frame, header, seed and body at the end of `to` and returns the encoded header's place in it.
/// header.*_length must agree with the body; checked.
struct EncodedRecord {
  std::size_t record_offset;
  std::size_t header_offset;
  std::size_t header_length;
};
EncodedRecord append_record(std::string& to, const RecordHeader& header, const Seed& seed, const RecordBody& body);

/// A decoded record that owns its bytes; reused by readers to avoid allocation. Not copyable: header and body point
/// into it.
class Record {
 public:
  Record() = default;
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;

  [[nodiscard]] const RecordHeader& header() const { return header_; }
  /// Empty members for those that are absent or redacted; redacted() tells which.
  [[nodiscard]] const RecordBody& body() const { return body_; }
  [[nodiscard]] bool redacted(BodyMember member) const { return redacted_.has(member); }
  [[nodiscard]] bool any_redacted() const { return !redacted_.empty(); }
  [[nodiscard]] BodyMemberSet redacted_members() const { return redacted_; }
  /// Those that were not absent when the record was made, redacted or not.
  [[nodiscard]] BodyMemberSet members() const;
  /// The bytes of a member; none if it is absent or redacted.
  [[nodiscard]] std::optional<std::string_view> bytes_of(BodyMember member) const;
  [[nodiscard]] std::string_view header_bytes() const { return header_bytes_; }
  /// Of a record that is not redacted; zeros without a body.
  [[nodiscard]] Seed seed() const;
  /// Salt of a member whose bytes are there; none otherwise.
  [[nodiscard]] std::optional<Salt> salt(BodyMember member) const;
  /// D(x) of a member; zeros if it is absent. Recomputed from the stored bytes, unless it is redacted.
  [[nodiscard]] Digest member_digest(BodyMember member) const;
  /// Recomputed from the stored bytes, except for members that are redacted.
  [[nodiscard]] Digest body_digest() const;
  [[nodiscard]] Digest leaf() const { return leaf_hash(header_bytes_, body_digest()); }

  /// Room for `size` raw bytes, to be filled before decode().
  [[nodiscard]] std::span<char> prepare(std::size_t size);
  /// Checks bounds, checksum and every field of the prepared bytes, which must be exactly one record; Corrupt
  /// otherwise.
  [[nodiscard]] Status decode();

 private:
  [[nodiscard]] std::string_view secret_of(BodyMember member) const;

  std::string bytes_;
  RecordHeader header_;
  RecordBody body_;
  std::string_view header_bytes_;
  BodyMemberSet redacted_;
  std::array<std::array<char, 36>, 3> uuid_texts_{};  // user, correlation, causation ids that are stored as 16 bytes
  std::string_view secrets_;                          // seed, or salts and digests once redacted
};

/// Encodes the record at the end of `to` without the bytes of `members`, but with their digests in the place of salts:
/// header and leaf stay. At least one member must be redacted then; members that are absent are passed over.
void append_redacted_record(std::string& to, const Record& record, BodyMemberSet members);

/// One of the store's own records (genesis, `$` aggregates, actions), which readers and conditions do not see unless
/// they ask for them.
[[nodiscard]] bool is_system(const RecordHeader& header);

/// Total length of the record whose first kRecordFrameBytes are `frame`; Corrupt if it cannot be one.
[[nodiscard]] Result<std::uint32_t> record_length(std::string_view frame);

}  // namespace stele
