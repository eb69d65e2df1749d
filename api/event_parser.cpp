#include "api/event_parser.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "api/control_characters.h"
#include "api/derived_event_id.h"
#include "api/json_diagnosis.h"
#include "api/json_text.h"
#include "api/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kErrorsMax = 100;
constexpr std::size_t kEventTypeBytesMax = 128;
constexpr std::size_t kConditionEntriesMax = 10'000;
/// A parser that has read a large body keeps many times its size; such a one is not kept for the thread.
constexpr std::size_t kKeptParserBytesMax = 256U << 10;

enum class Member : unsigned {
  EventType,
  AggregateId,
  AggregateType,
  Data,
  Metadata,
  UserId,
  CorrelationId,
  CausationId,
  Version,
  OccurredAt,
  EventId,
  SequenceNumber,
  Timestamp,
  Position,
  Unknown,
};

constexpr std::array<std::string_view, 14> kMemberNames{
    "eventType",   "aggregateId", "aggregateType", "data",    "metadata",       "userId",    "correlationId",
    "causationId", "version",     "occurredAt",    "eventId", "sequenceNumber", "timestamp", "position"};

Member member_of(std::string_view name) {
  for (unsigned i = 0; i < kMemberNames.size(); ++i) {
    if (kMemberNames[i] == name) return static_cast<Member>(i);
  }
  return Member::Unknown;
}

bool is_event_type_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == ':' || c == '/';
}

/// What is wrong so far, and the place that is being read.
class Faults {
 public:
  /// The place of an event: `base` ("/events", "" for a bare list), then its index.
  void enter_event(std::string_view base, std::size_t index, std::optional<std::uint64_t> line) {
    base_ = base;
    index_ = index;
    line_ = line;
  }
  void leave_events() {
    base_ = {};
    index_.reset();
    line_.reset();
  }

  /// `pointer` is relative to the event, if one is being read.
  void add(std::string_view pointer, std::string detail) {
    invalid_ = true;
    push(pointer, std::move(detail));
  }
  void add_too_large(std::string_view pointer, std::string detail) {
    too_large_ = true;
    push(pointer, std::move(detail));
  }

  [[nodiscard]] bool any() const { return invalid_ || too_large_; }

  [[nodiscard]] Problem problem() {
    const FieldError& first = errors_.front();
    std::string detail = first.where.empty() ? first.detail : first.where + ": " + first.detail;
    if (count_ > 1) detail += " (" + std::to_string(count_) + " faults in all)";
    Problem problem(invalid_ ? "invalid-event" : "event-too-large", std::move(detail));
    problem.errors(std::move(errors_));
    return problem;
  }

 private:
  void push(std::string_view pointer, std::string detail) {
    if (++count_ > kErrorsMax) return;
    std::string where(base_);
    if (index_) {
      where += '/';
      where += std::to_string(*index_);
    }
    where += pointer;
    errors_.push_back({"pointer", std::move(where), std::move(detail), line_});
  }

  std::string base_;
  std::optional<std::size_t> index_;
  std::optional<std::uint64_t> line_;
  std::vector<FieldError> errors_;
  std::size_t count_ = 0;
  bool invalid_ = false;
  bool too_large_ = false;
};

std::string pointer_of(std::string_view name) {
  std::string pointer;
  append_pointer_token(pointer, name);
  return pointer;
}

Problem malformed(const JsonDiagnosis::Broken& broken, std::optional<std::uint64_t> line) {
  std::string detail = broken.detail + " (byte " + std::to_string(broken.offset);
  if (line) detail += " of line " + std::to_string(*line);
  Problem problem("malformed-json", detail + ")");
  if (line) problem.member("line", std::to_string(*line));
  return problem;
}

class BodyParser {
 public:
  BodyParser(const Limits& limits, const AppendContext& context, const Clock& clock, dom::parser& parser, Proposal& to)
      : limits_(limits), context_(context), clock_(clock), parser_(parser), to_(to) {}

  std::optional<Problem> json(std::string_view body) {
    dom::element root;
    const auto error = parser_.parse(body.data(), body.size(), false).get(root);
    if (error != simdjson::SUCCESS) {
      if (auto problem = refused(body, error, std::nullopt)) return problem;
      return faults_.problem();
    }
    JsonCursor cursor(body);
    dom::array list;
    dom::object object;
    if (root.get(list) == simdjson::SUCCESS) {
      to_.is_list = true;
      if (auto problem = events(list, cursor, "")) return problem;
    } else if (root.get(object) != simdjson::SUCCESS) {
      faults_.add("", "The body must be an event, a list of events, or an object with `events` and `condition`.");
    } else if (is_wrapper(object)) {
      to_.is_list = true;
      if (auto problem = wrapper(object, cursor)) return problem;
    } else {
      event(object, cursor, 0);
    }
    return finish();
  }

  std::optional<Problem> ndjson(std::string_view body) {
    to_.is_list = true;
    std::uint64_t line = 0;
    while (!body.empty()) {
      const std::size_t end = std::min(body.find('\n'), body.size());
      const std::string_view text = body.substr(0, end);
      body.remove_prefix(std::min(end + 1, body.size()));
      ++line;
      if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      const std::size_t index = lines_.size();
      if (index == limits_.events_max) return too_many();
      lines_.push_back(line);
      faults_.enter_event("", index, line);
      dom::element root;
      const auto error = parser_.parse(text.data(), text.size(), false).get(root);
      if (error != simdjson::SUCCESS) {
        if (auto problem = refused(text, error, line)) return problem;
        continue;
      }
      JsonCursor cursor(text);
      dom::object object;
      if (root.get(object) != simdjson::SUCCESS) {
        faults_.add("", "Each line must be an event.");
      } else {
        event(object, cursor, index);
      }
    }
    faults_.leave_events();
    if (lines_.empty()) faults_.add("", "There is no event in the body.");
    return finish();
  }

 private:
  /// Turns simdjson's refusal into a 400, or into faults of values.
  std::optional<Problem> refused(std::string_view text, simdjson::error_code error, std::optional<std::uint64_t> line) {
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
      return Problem("busy", "There is no memory for a body of this size now.").header("Retry-After", "1");
    }
    const JsonDiagnosis diagnosis = diagnose_json(text);
    if (diagnosis.broken) return malformed(*diagnosis.broken, line);
    if (diagnosis.values.empty()) return malformed({0, simdjson::error_message(error)}, line);
    for (const JsonValueFault& fault : diagnosis.values) faults_.add(fault.pointer, fault.detail);
    return std::nullopt;
  }

  [[nodiscard]] Problem too_many() const {
    return Problem("payload-too-large", "A request holds at most " + std::to_string(limits_.events_max) + " events.");
  }

  std::optional<Problem> finish() {
    if (!faults_.any() && to_.events.size() > 1) check_distinct_ids();
    if (faults_.any()) return faults_.problem();
    return std::nullopt;
  }

  void check_distinct_ids() {
    std::vector<std::pair<Uuid, std::size_t>> ids;
    ids.reserve(to_.events.size());
    for (std::size_t i = 0; i < to_.events.size(); ++i) ids.emplace_back(to_.events[i].event_id, i);
    std::sort(ids.begin(), ids.end());
    std::vector<std::size_t> repeats;
    for (std::size_t i = 1; i < ids.size(); ++i) {
      if (ids[i].first == ids[i - 1].first) repeats.push_back(ids[i].second);
    }
    std::sort(repeats.begin(), repeats.end());
    for (const std::size_t i : repeats) {
      faults_.enter_event(list_base_, i, lines_.empty() ? std::nullopt : std::optional(lines_[i]));
      faults_.add("/eventId", "An earlier event of the list has the same id.");
    }
  }

  static bool is_wrapper(const dom::object& object) {
    for (const auto field : object) {
      if (field.key == "events" || field.key == "condition") return true;
    }
    return false;
  }

  std::optional<Problem> wrapper(const dom::object& object, JsonCursor& cursor) {
    list_base_ = "/events";
    bool has_events = false;
    bool has_condition = false;
    cursor.enter();
    for (const auto field : object) {
      STELE_CHECK(cursor.next_member());
      const bool is_events = field.key == "events";
      if (!is_events && field.key != "condition") {
        cursor.value();
        faults_.add(pointer_of(field.key), "There is no such member.");
        continue;
      }
      bool& seen = is_events ? has_events : has_condition;
      if (seen) {
        cursor.value();
        faults_.add(pointer_of(field.key), "The member stands twice.");
        continue;
      }
      seen = true;
      if (!is_events) {
        cursor.value();
        condition(field.value);
        continue;
      }
      dom::array list;
      if (field.value.get(list) != simdjson::SUCCESS) {
        cursor.value();
        faults_.add("/events", "Must be a list of events.");
      } else if (auto problem = events(list, cursor, "/events")) {
        return problem;
      }
    }
    if (!has_events) faults_.add("/events", "The member is required beside `condition`.");
    return std::nullopt;
  }

  std::optional<Problem> events(const dom::array& list, JsonCursor& cursor, std::string_view base) {
    std::size_t index = 0;
    cursor.enter();
    for (const dom::element element : list) {
      STELE_CHECK(cursor.next_element());
      if (index == limits_.events_max) return too_many();
      faults_.enter_event(base, index, std::nullopt);
      dom::object object;
      if (element.get(object) != simdjson::SUCCESS) {
        cursor.value();
        faults_.add("", "Must be an event.");
      } else {
        event(object, cursor, index);
      }
      ++index;
    }
    STELE_CHECK(!cursor.next_element());
    faults_.leave_events();
    if (index == 0) faults_.add(base, "The list is empty.");
    return std::nullopt;
  }

  void event(const dom::object& object, JsonCursor& cursor, std::size_t index) {
    EventDraft& draft = to_.events.emplace_back();
    bool has_id = false;
    unsigned seen = 0;
    cursor.enter();
    for (const auto field : object) {
      STELE_CHECK(cursor.next_member());
      const JsonSpan span = cursor.value();
      const Member member = member_of(field.key);
      if (member == Member::Unknown) {
        faults_.add(pointer_of(field.key), "There is no such member.");
        continue;
      }
      const unsigned bit = 1U << static_cast<unsigned>(member);
      if ((seen & bit) != 0) {
        faults_.add(pointer_of(field.key), "The member stands twice.");
        continue;
      }
      seen |= bit;
      switch (member) {
        case Member::EventType:
          event_type(field.value, draft.event_type);
          break;
        case Member::AggregateId:
          identifier(field.value, "/aggregateId", draft.aggregate_id);
          break;
        case Member::AggregateType:
          identifier(field.value, "/aggregateType", draft.aggregate_type.emplace());
          draft.given.aggregate_type = true;
          break;
        case Member::Data:
          body_member(span, "/data", limits_.data_bytes_max, draft.data);
          break;
        case Member::Metadata:
          if (!field.value.is_object()) {
            faults_.add("/metadata", "Must be an object.");
          } else {
            body_member(span, "/metadata", limits_.metadata_bytes_max, draft.metadata);
          }
          break;
        case Member::UserId:
          text(field.value, "/userId", draft.user_id.emplace());
          break;
        case Member::CorrelationId:
          text(field.value, "/correlationId", draft.correlation_id.emplace());
          draft.given.correlation_id = true;
          break;
        case Member::CausationId:
          text(field.value, "/causationId", draft.causation_id.emplace());
          break;
        case Member::Version:
          if (const auto version = integer(field.value, "/version", 1, std::numeric_limits<std::uint32_t>::max())) {
            draft.schema_version = static_cast<std::uint32_t>(*version);
          }
          draft.given.schema_version = true;
          break;
        case Member::OccurredAt:
          occurred_at(field.value, draft);
          break;
        case Member::EventId:
          has_id = event_id(field.value, draft);
          break;
        case Member::SequenceNumber:
          if (const auto number =
                  integer(field.value, "/sequenceNumber", 1, std::numeric_limits<std::int64_t>::max())) {
            draft.expected_sequence = SequenceNumber{*number};
          }
          break;
        case Member::Timestamp:
          faults_.add("/timestamp", "Is given by the server; occurredAt is yours.");
          break;
        case Member::Position:
          faults_.add("/position", "Is given by the server.");
          break;
        case Member::Unknown:
          break;
      }
    }
    STELE_CHECK(!cursor.next_member());
    require(seen, Member::EventType, "/eventType");
    require(seen, Member::AggregateId, "/aggregateId");
    require(seen, Member::Data, "/data");
    if (faults_.any()) return;
    if (!draft.correlation_id) draft.correlation_id = context_.correlation_id;
    if (!has_id) {
      draft.event_id = context_.idempotency_key ? derived_event_id(context_.caller, *context_.idempotency_key, index)
                                                : make_uuid_v7(clock_);
    }
  }

  void require(unsigned seen, Member member, std::string_view pointer) {
    if ((seen & (1U << static_cast<unsigned>(member))) == 0) faults_.add(pointer, "The member is required.");
  }

  bool text(const dom::element& value, std::string_view pointer, std::string& to) {
    std::string_view given;
    if (value.get(given) != simdjson::SUCCESS) {
      faults_.add(pointer, "Must be a string.");
      return false;
    }
    if (given.empty() || given.size() > limits_.string_bytes_max) {
      faults_.add(pointer, "Must have 1 to " + std::to_string(limits_.string_bytes_max) + " bytes of UTF-8.");
      return false;
    }
    if (has_control_characters(given)) {
      faults_.add(pointer, "Must not contain control characters.");
      return false;
    }
    to = given;
    return true;
  }

  void identifier(const dom::element& value, std::string_view pointer, std::string& to) {
    if (text(value, pointer, to) && to.front() == '$')
      faults_.add(pointer, "Identifiers that begin with $ are the store's own.");
  }

  void event_type(const dom::element& value, std::string& to) {
    std::string_view given;
    if (value.get(given) != simdjson::SUCCESS) {
      faults_.add("/eventType", "Must be a string.");
    } else if (given.starts_with('$')) {
      faults_.add("/eventType", "Identifiers that begin with $ are the store's own.");
    } else if (given.empty() || given.size() > kEventTypeBytesMax ||
               !std::all_of(given.begin(), given.end(), is_event_type_character)) {
      faults_.add("/eventType", "Must be 1 to 128 of letters, digits and . _ - : /");
    } else {
      to = given;
    }
  }

  std::optional<std::uint64_t> integer(const dom::element& value, std::string_view pointer, std::uint64_t min,
                                       std::uint64_t max) {
    std::uint64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number < min || number > max) {
      faults_.add(pointer, "Must be an integer from " + std::to_string(min) + " to " + std::to_string(max) + ".");
      return std::nullopt;
    }
    return number;
  }

  void occurred_at(const dom::element& value, EventDraft& draft) {
    std::string_view given;
    if (value.get(given) == simdjson::SUCCESS) draft.occurred_at = parse_timestamp(given);
    if (!draft.occurred_at) faults_.add("/occurredAt", "Must be an RFC 3339 date-time such as 2026-03-01T12:00:00Z.");
  }

  bool event_id(const dom::element& value, EventDraft& draft) {
    std::string_view given;
    std::optional<Uuid> id;
    if (value.get(given) == simdjson::SUCCESS) id = parse_uuid(given);
    if (!id) {
      faults_.add("/eventId", "Must be a UUID such as 0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a.");
      return false;
    }
    draft.event_id = *id;
    return true;
  }

  void body_member(const JsonSpan& span, std::string_view pointer, std::size_t bytes_max,
                   std::optional<std::string>& to) {
    if (span.text.size() > bytes_max) {
      faults_.add_too_large(pointer, "Has " + std::to_string(span.text.size()) + " bytes; at most " +
                                         std::to_string(bytes_max) + " are allowed.");
    } else if (span.depth > limits_.depth_max) {
      faults_.add(pointer, "Is nested " + std::to_string(span.depth) + " levels deep; at most " +
                               std::to_string(limits_.depth_max) + " are allowed.");
    } else {
      to.emplace(span.text);
    }
  }

  // --- the condition
  // -------------------------------------------------------------------------------------------------------------

  void condition(const dom::element& value) {
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
      faults_.add("/condition", "Must be an object.");
      return;
    }
    if (object.size() == 0) faults_.add("/condition", "Must have aggregates or failIfEventsMatch.");
    unsigned seen = 0;
    for (const auto field : object) {
      const std::string pointer = "/condition" + pointer_of(field.key);
      const unsigned bit = field.key == "aggregates"          ? 1U
                           : field.key == "failIfEventsMatch" ? 2U
                           : field.key == "after"             ? 4U
                                                              : 0U;
      if (bit == 0) {
        faults_.add(pointer, "There is no such member.");
      } else if ((seen & bit) != 0) {
        faults_.add(pointer, "The member stands twice.");
      } else if (bit == 1) {
        each(field.value, pointer, [this](const dom::object& o, const std::string& p) { aggregate_condition(o, p); });
      } else if (bit == 2) {
        each(field.value, pointer, [this](const dom::object& o, const std::string& p) { event_match(o, p); });
      } else if (const auto after = integer(field.value, pointer, 0, std::numeric_limits<std::int64_t>::max())) {
        to_.condition.after = Position{*after};
      }
      seen |= bit;
    }
    if ((seen & 6U) == 4U) faults_.add("/condition/after", "Means nothing without failIfEventsMatch.");
  }

  template <class Read>
  void each(const dom::element& value, const std::string& pointer, Read read) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS || list.begin() == list.end()) {
      faults_.add(pointer, "Must be a list of objects that is not empty.");
      return;
    }
    std::size_t index = 0;
    for (const dom::element element : list) {
      const std::string at = pointer + '/' + std::to_string(index);
      if (++index > kConditionEntriesMax) {
        faults_.add(pointer, "May have at most " + std::to_string(kConditionEntriesMax) + " entries.");
        return;
      }
      dom::object object;
      if (element.get(object) != simdjson::SUCCESS) {
        faults_.add(at, "Must be an object.");
      } else {
        read(object, at);
      }
    }
  }

  void aggregate_condition(const dom::object& object, const std::string& pointer) {
    AggregateCondition& entry = to_.condition.aggregates.emplace_back();
    unsigned seen = 0;
    for (const auto field : object) {
      const std::string at = pointer + pointer_of(field.key);
      const unsigned bit = field.key == "aggregateId" ? 1U : field.key == "lastSequenceNumber" ? 2U : 0U;
      std::string_view word;
      if (bit == 0) {
        faults_.add(at, "There is no such member.");
      } else if ((seen & bit) != 0) {
        faults_.add(at, "The member stands twice.");
      } else if (bit == 1) {
        (void)text(field.value, at, entry.aggregate_id);
      } else if (field.value.get(word) == simdjson::SUCCESS) {
        if (word != "exists") faults_.add(at, "Must be an integer (0 = must not exist) or \"exists\".");
      } else if (const auto last = integer(field.value, at, 0, std::numeric_limits<std::int64_t>::max())) {
        entry.last = SequenceNumber{*last};
      }
      seen |= bit;
    }
    if ((seen & 1U) == 0) faults_.add(pointer + "/aggregateId", "The member is required.");
    if ((seen & 2U) == 0) faults_.add(pointer + "/lastSequenceNumber", "The member is required.");
  }

  void event_match(const dom::object& object, const std::string& pointer) {
    EventMatch& match = to_.condition.fail_if_events_match.emplace_back();
    for (const auto field : object) {
      const std::string at = pointer + pointer_of(field.key);
      std::vector<std::string>* const list = field.key == "eventTypes"       ? &match.event_types
                                             : field.key == "aggregateTypes" ? &match.aggregate_types
                                             : field.key == "aggregateIds"   ? &match.aggregate_ids
                                             : field.key == "userIds"        ? &match.user_ids
                                                                             : nullptr;
      dom::array values;
      if (list == nullptr) {
        faults_.add(at, "There is no such member.");
      } else if (!list->empty()) {
        faults_.add(at, "The member stands twice.");
      } else if (field.value.get(values) != simdjson::SUCCESS || values.begin() == values.end()) {
        faults_.add(at, "Must be a list of strings that is not empty.");
      } else {
        std::size_t index = 0;
        for (const dom::element value : values) {
          if (index == kConditionEntriesMax) {
            faults_.add(at, "May have at most " + std::to_string(kConditionEntriesMax) + " entries.");
            return;
          }
          (void)text(value, at + '/' + std::to_string(index++), list->emplace_back());
        }
      }
    }
  }

  const Limits& limits_;
  const AppendContext& context_;
  const Clock& clock_;
  dom::parser& parser_;
  Proposal& to_;
  Faults faults_;
  std::string_view list_base_;
  std::vector<std::uint64_t> lines_;  ///< of the events of an NDJSON body
};

}  // namespace

std::optional<Problem> parse_append(std::string_view body, BodyFormat format, const Limits& limits,
                                    const AppendContext& context, const Clock& clock, Proposal& to) {
  if (body.size() > limits.body_bytes_max) {
    return Problem("payload-too-large", "A body has at most " + std::to_string(limits.body_bytes_max) + " bytes.");
  }
  const auto parse = [&](dom::parser& parser) {
    BodyParser reader(limits, context, clock, parser, to);
    return format == BodyFormat::Ndjson ? reader.ndjson(body) : reader.json(body);
  };
  if (body.size() > kKeptParserBytesMax) {
    dom::parser parser;
    return parse(parser);
  }
  thread_local dom::parser kept;
  return parse(kept);
}

}  // namespace stele::api
