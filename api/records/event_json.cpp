#include "api/records/event_json.h"

#include <array>
#include <charconv>
#include <concepts>
#include <cstring>
#include <memory>
#include <optional>

#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/records/event_aliases.h"
#include "api/records/event_notes.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// Writes the members that come from a record's header into room that is known to suffice: an event has thirty short
/// pieces, and a string that grows by each of them took a third of the time of a page.
class HeaderWriter {
 public:
  explicit HeaderWriter(char* to) : end_(to) {}
  template <std::size_t N>
  void literal(const char (&text)[N]) {
    std::memcpy(end_, text, N - 1);
    end_ += N - 1;
  }
  /// Each with its key, which is `,"name":`.
  template <std::size_t N>
  void string(const char (&key)[N], std::string_view text) {
    literal(key);
    end_ = write_json_string(end_, text);
  }
  template <std::size_t N>
  void string(const char (&key)[N], const std::optional<std::string_view>& text) {
    if (text) string(key, *text);
  }
  /// `is_uuid`: the text is the canonical form of one, in which there is nothing to escape.
  template <std::size_t N>
  void id(const char (&key)[N], const std::optional<std::string_view>& text, bool is_uuid) {
    if (!is_uuid) return string(key, text);
    literal(key);
    *end_++ = '"';
    std::memcpy(end_, text->data(), kUuidTextBytes);
    end_ += kUuidTextBytes;
    *end_++ = '"';
  }
  template <std::size_t N, std::integral T>
  void number(const char (&key)[N], T value) {
    literal(key);
    end_ = std::to_chars(end_, end_ + kNumberBytesMax, value).ptr;
  }
  template <std::size_t N>
  void time(const char (&key)[N], Timestamp value) {
    literal(key);
    *end_++ = '"';
    write_timestamp(value, end_);
    end_ += kTimestampBytes;
    *end_++ = '"';
  }
  void uuid(const Uuid& id) {
    *end_++ = '"';
    write_uuid(id, end_);
    end_ += kUuidTextBytes;
    *end_++ = '"';
  }
  void tags(const TagList& list) {
    if (list.empty()) return;
    literal(R"(,"tags":)");
    char separator = '[';
    for (const std::string_view tag : list) {
      *end_++ = separator;
      end_ = write_json_string(end_, tag);
      separator = ',';
    }
    *end_++ = ']';
  }
  [[nodiscard]] const char* end() const { return end_; }

  /// An upper bound of what a header needs.
  static std::size_t bytes_max(const RecordHeader& header) {
    const auto text = [](const std::optional<std::string_view>& value) {
      return value ? json_string_bytes_max(value->size()) : 0;
    };
    return kOthersBytesMax + text(header.event_type) + text(header.aggregate_id) + text(header.aggregate_type) +
           text(header.user_id) + text(header.correlation_id) + text(header.causation_id) + text(header.resource) +
           tags_bytes_max(header.tags);
  }

 private:
  static std::size_t tags_bytes_max(const TagList& list) {
    std::size_t bytes = 0;
    for (const std::string_view tag : list) bytes += 1 + json_string_bytes_max(tag.size());
    return bytes;
  }
  static constexpr std::size_t kNumberBytesMax = 20, kUuidTextBytes = 36;
  /// Keys, times, numbers and the event's id: 406 at most.
  static constexpr std::size_t kOthersBytesMax = 440;

  char* end_;
};

void append_body(std::string& to, std::string_view key, const std::optional<std::string_view>& bytes, DataForm form) {
  if (!bytes || bytes->empty()) return;
  to += key;
  if (form == DataForm::Minified) {
    append_minified(to, *bytes);
  } else {
    to += *bytes;
  }
}

/// `all`: with what the store has given as well.
void append_header(std::string& to, const RecordHeader& header, const std::optional<std::string>& shown_type,
                   std::uint32_t shown_version, bool all = true) {
  const bool is_event = header.kind == RecordKind::Event;
  const std::size_t name_bytes = shown_type ? json_string_bytes_max(shown_type->size()) : 0;
  const std::size_t bytes_max = HeaderWriter::bytes_max(header) + name_bytes;
  // Not in the string itself, which would fill all of that room with zeros first.
  std::array<char, 4096> usual;
  std::unique_ptr<char[]> large;
  if (bytes_max > usual.size()) large = std::make_unique_for_overwrite<char[]>(bytes_max);
  char* const begin = large ? large.get() : usual.data();
  HeaderWriter members(begin);
  if (is_event) {
    members.literal(R"({"eventId":)");
  } else if (header.kind == RecordKind::Genesis) {
    members.literal(R"({"kind":"genesis","eventId":)");
  } else {
    members.literal(R"({"kind":"action","eventId":)");
  }
  members.uuid(header.event_id);
  if (shown_type) members.string(R"(,"eventType":)", std::string_view(*shown_type));
  if (!header.event_type.empty()) {
    if (shown_type) {
      members.string(R"(,"storedEventType":)", header.event_type);
    } else {
      members.string(R"(,"eventType":)", header.event_type);
    }
  }
  if (!header.aggregate_id.empty()) members.string(R"(,"aggregateId":)", header.aggregate_id);
  if (all) {
    members.string(R"(,"aggregateType":)", header.aggregate_type);
    if (is_event) members.number(R"(,"sequenceNumber":)", header.sequence.value());
    members.number(R"(,"position":)", header.position.value());
    members.time(R"(,"timestamp":)", header.time);
  }
  if (header.occurred_at) members.time(R"(,"occurredAt":)", *header.occurred_at);
  if (is_event) members.number(R"(,"version":)", shown_version);
  if (shown_version != header.schema_version) members.number(R"(,"storedVersion":)", header.schema_version);
  members.tags(header.tags);
  const std::optional<IdUuids>& uuids = header.id_uuids;
  members.id(R"(,"userId":)", header.user_id, uuids && uuids->user);
  members.id(R"(,"correlationId":)", header.correlation_id, uuids && uuids->correlation);
  members.id(R"(,"causationId":)", header.causation_id, uuids && uuids->causation);
  if (header.kind == RecordKind::Action) {
    members.string(R"(,"resource":)", header.resource);
    members.string(R"(,"outcome":)", outcome_name(header.outcome));
  }
  const auto written = static_cast<std::size_t>(members.end() - begin);
  STELE_CHECK(written <= bytes_max);
  to.append(begin, written);
}

/// What stands behind `data`, to the end of the object.
inline void append_rest(std::string& to, const Record& record, DataForm form, const EventNotes* notes) {
  append_body(to, R"(,"metadata":)", record.body().metadata, form);
  if (record.any_redacted()) append_redacted_json(to, record, notes);
  to += '}';
}

void append_upcast_error(std::string& to, const UpcastFailure& failure) {
  JsonWriter json(to += R"(,"upcastError":)");
  json.begin_object().key("detail").string(failure.detail);
  if (!failure.pointer.empty()) json.key("pointer").string(failure.pointer);
  if (failure.line) json.key("line").number(*failure.line);
  if (failure.column) json.key("column").number(*failure.column);
  json.end_object();
}

}  // namespace

void append_redacted_json(std::string& to, const Record& record, const EventNotes* notes) {
  JsonWriter json(to += R"(,"redacted":)");
  json.begin_array();
  if (record.redacted(BodyMember::Data)) json.plain("data");
  if (record.redacted(BodyMember::Metadata)) json.plain("metadata");
  if (record.header().kind == RecordKind::Action && record.redacted(BodyMember::Private)) json.plain("private");
  json.end_array();
  const auto note = notes == nullptr ? std::nullopt : notes->redactions.of(record.header());
  if (!note) return;
  json.key("redaction").begin_object().key("position").number(note->position.value());
  json.key("timestamp").plain(format_timestamp(note->time)).end_object();
}

void append_event_json(std::string& to, const Record& record, DataForm form, const EventNotes* notes,
                       const Upcast* upcast) {
  const RecordHeader& header = record.header();
  append_header(to, header, notes == nullptr ? std::nullopt : notes->aliases.shown_name(header.event_type),
                upcast == nullptr ? header.schema_version : upcast->version);
  if (upcast != nullptr && upcast->data) {
    append_body(to, R"(,"data":)", std::string_view(*upcast->data), form);
  } else {
    append_body(to, R"(,"data":)", record.body().data, form);
  }
  append_rest(to, record, form, notes);
  if (upcast == nullptr || !upcast->failure) return;
  to.pop_back();
  append_upcast_error(to, *upcast->failure);
  to += '}';
}

void append_envelope_json(std::string& to, const Record& record, const Upcast* upcast, const AliasTable* aliases) {
  const std::string* const alias = aliases == nullptr ? nullptr : aliases->shown_name(record.header().event_type);
  append_header(to, record.header(), alias == nullptr ? std::nullopt : std::optional(*alias),
                upcast == nullptr ? record.header().schema_version : upcast->version);
  append_rest(to, record, DataForm::AsSent, nullptr);
}

void append_sent_envelope_json(std::string& to, const Record& record) {
  append_header(to, record.header(), std::nullopt, record.header().schema_version, false);
  append_rest(to, record, DataForm::AsSent, nullptr);
}

void append_receipt_json(std::string& to, const RecordHeader& header) {
  append_header(to, header, std::nullopt, header.schema_version);
  to += '}';
}

}  // namespace stele::api
