#include "api/events/append_parser.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "api/events/condition_parser.h"
#include "api/events/event_errors.h"
#include "api/events/event_parser.h"
#include "api/json/json_diagnosis.h"
#include "api/json/json_text.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

/// A parser that has read a large body keeps many times its size; such a one is not kept for the thread.
constexpr std::size_t kKeptBodyBytesMax = 256U << 10;

Problem malformed(const JsonDiagnosis::Broken& broken, std::optional<std::uint64_t> line) {
  std::string detail = broken.detail + " (byte " + std::to_string(broken.offset);
  if (line) detail += " of line " + std::to_string(*line);
  Problem problem("malformed-json", detail + ")");
  if (line) problem.member("line", std::to_string(*line));
  return problem;
}

/// Reads one body: what is around the events, and in which order they come.
class BodyParser {
 public:
  BodyParser(const Limits& limits, const AppendContext& context, const Clock& clock, dom::parser& parser, Proposal& to)
      : limits_(limits), parser_(parser), to_(to), event_parser_(limits, context, clock, errors_) {}

  std::optional<Problem> json(std::string_view body) {
    dom::element root;
    const auto error = parser_.parse(body.data(), body.size(), false).get(root);
    if (error != simdjson::SUCCESS) {
      if (auto problem = refused(body, error, std::nullopt)) return problem;
      return errors_.problem();
    }
    JsonCursor cursor(body);
    dom::array list;
    dom::object object;
    if (root.get(list) == simdjson::SUCCESS) {
      to_.is_list = true;
      if (auto problem = events(list, cursor, "")) return problem;
    } else if (root.get(object) != simdjson::SUCCESS) {
      errors_.add("", "The body must be an event, a list of events, or an object with `events` and `condition`.");
    } else if (is_wrapper(object)) {
      to_.is_list = true;
      if (auto problem = wrapper(object, cursor)) return problem;
    } else {
      event_parser_.parse(object, cursor, 0, to_.events.emplace_back());
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
      errors_.enter_event("", index, line);
      dom::element root;
      const auto error = parser_.parse(text.data(), text.size(), false).get(root);
      if (error != simdjson::SUCCESS) {
        if (auto problem = refused(text, error, line)) return problem;
        continue;
      }
      JsonCursor cursor(text);
      dom::object object;
      if (root.get(object) != simdjson::SUCCESS) {
        errors_.add("", "Each line must be an event.");
      } else {
        event_parser_.parse(object, cursor, index, to_.events.emplace_back());
      }
    }
    errors_.leave_events();
    if (lines_.empty()) errors_.add("", "There is no event in the body.");
    return finish();
  }

 private:
  /// Turns simdjson's refusal into a 400, or into errors of values.
  std::optional<Problem> refused(std::string_view text, simdjson::error_code error, std::optional<std::uint64_t> line) {
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
      return Problem("busy", "There is no memory for a body of this size now.").header("Retry-After", "1");
    }
    const JsonDiagnosis diagnosis = diagnose_json(text);
    if (diagnosis.broken) return malformed(*diagnosis.broken, line);
    if (diagnosis.values.empty()) return malformed({0, simdjson::error_message(error)}, line);
    for (const JsonValueError& value : diagnosis.values) errors_.add(value.pointer, value.detail);
    return std::nullopt;
  }

  [[nodiscard]] Problem too_many() const {
    return Problem("payload-too-large", "A request holds at most " + std::to_string(limits_.events_max) + " events.");
  }

  std::optional<Problem> finish() {
    if (!errors_.any() && to_.events.size() > 1) check_distinct_ids();
    if (errors_.any()) return errors_.problem();
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
      errors_.enter_event(list_base_, i, lines_.empty() ? std::nullopt : std::optional(lines_[i]));
      errors_.add("/eventId", "An earlier event of the list has the same id.");
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
      cursor.expect_member();
      const bool is_events = field.key == "events";
      if (!is_events && field.key != "condition") {
        cursor.value();
        errors_.add(member_pointer(field.key), "There is no such member.");
        continue;
      }
      bool& seen = is_events ? has_events : has_condition;
      if (seen) {
        cursor.value();
        errors_.add(member_pointer(field.key), "The member stands twice.");
        continue;
      }
      seen = true;
      if (!is_events) {
        cursor.value();
        ConditionParser(limits_, errors_, to_.condition).parse(field.value);
        continue;
      }
      dom::array list;
      if (field.value.get(list) != simdjson::SUCCESS) {
        cursor.value();
        errors_.add("/events", "Must be a list of events.");
      } else if (auto problem = events(list, cursor, "/events")) {
        return problem;
      }
    }
    if (!has_events) errors_.add("/events", "The member is required beside `condition`.");
    return std::nullopt;
  }

  std::optional<Problem> events(const dom::array& list, JsonCursor& cursor, std::string_view base) {
    std::size_t index = 0;
    cursor.enter();
    for (const dom::element element : list) {
      cursor.expect_element();
      if (index == limits_.events_max) return too_many();
      errors_.enter_event(base, index, std::nullopt);
      dom::object object;
      if (element.get(object) != simdjson::SUCCESS) {
        cursor.value();
        errors_.add("", "Must be an event.");
      } else {
        event_parser_.parse(object, cursor, index, to_.events.emplace_back());
      }
      ++index;
    }
    cursor.expect_no_element();
    errors_.leave_events();
    if (index == 0) errors_.add(base, "The list is empty.");
    return std::nullopt;
  }

  const Limits& limits_;
  dom::parser& parser_;
  Proposal& to_;
  EventErrors errors_;
  EventParser event_parser_;
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
  if (body.size() > kKeptBodyBytesMax) {
    dom::parser parser;
    return parse(parser);
  }
  thread_local dom::parser kept;
  return parse(kept);
}

}  // namespace stele::api
