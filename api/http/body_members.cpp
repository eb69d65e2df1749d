#include "api/http/body_members.h"

#include <algorithm>
#include <set>

#include "api/json/control_characters.h"
#include "api/json/duration.h"
#include "api/json/json_diagnosis.h"

namespace stele::api {

namespace dom = simdjson::dom;

Problem unreadable_json(std::string_view text) {
  const JsonDiagnosis diagnosis = diagnose_json(text);
  if (diagnosis.broken) {
    return {"malformed-json", diagnosis.broken->detail + " (byte " + std::to_string(diagnosis.broken->offset) + ")"};
  }
  if (diagnosis.values.empty()) return {"malformed-json", "The body cannot be parsed."};
  Problem problem("invalid-request", diagnosis.values.front().pointer + ": " + diagnosis.values.front().detail);
  for (const JsonValueError& value : diagnosis.values) problem.error({"pointer", value.pointer, value.detail, {}});
  return problem;
}

std::variant<BodyMembers, Problem> BodyMembers::parse(std::string_view body,
                                                      std::initializer_list<std::string_view> known) {
  body = without_byte_order_mark(body);
  BodyMembers members;
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return members;
  dom::element root;
  if (const auto error = members.shared_->parser.parse(body.data(), body.size(), false).get(root); error) {
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
      return Problem("busy", "There is no memory for this body now.").header("Retry-After", "1");
    }
    return unreadable_json(body);
  }
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return Problem("invalid-request", "The body must be an object.").error({"pointer", "", "Must be an object.", {}});
  }
  members.read(object, body, known);
  return members;
}

void BodyMembers::read(const dom::object& object, std::string_view text,
                       std::initializer_list<std::string_view> known) {
  JsonCursor cursor(text);
  cursor.enter();
  for (const auto field : object) {
    cursor.expect_member();
    const JsonSpan span = cursor.value();
    if (std::find(known.begin(), known.end(), field.key) == known.end()) {
      refuse(field.key, "There is no such member.");
    } else if (find(field.key) != nullptr) {
      refuse(field.key, "The member stands twice.");
    } else {
      members_.push_back({field.key, field.value, span});
    }
  }
  cursor.expect_no_member();
}

const BodyMembers::Member* BodyMembers::find(std::string_view name) const {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
  return found == members_.end() ? nullptr : &*found;
}

std::optional<std::string> BodyMembers::text(std::string_view name, std::size_t bytes_max) {
  auto text = long_text(name, bytes_max);
  if (text && has_control_characters(*text)) {
    refuse(name, "Must not contain control characters.");
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> BodyMembers::long_text(std::string_view name, std::size_t bytes_max) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  std::string_view text;
  if (member->value.get(text) != simdjson::SUCCESS) {
    refuse(name, "Must be a string.");
  } else if (text.empty() || text.size() > bytes_max) {
    refuse(name, "Must have 1 to " + std::to_string(bytes_max) + " bytes of UTF-8.");
  } else {
    return std::string(text);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> BodyMembers::integer(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  if (member->value.get(number) == simdjson::SUCCESS && number >= min && number <= max) return number;
  refuse(name, "Must be an integer from " + std::to_string(min) + " to " + std::to_string(max) + ".");
  return std::nullopt;
}

std::optional<Timestamp> BodyMembers::timestamp(std::string_view name, FinerTimes finer) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  std::string_view text;
  if (member->value.get(text) == simdjson::SUCCESS) {
    if (const auto time = parse_timestamp(text, finer)) return time;
  }
  refuse(name, "Must be an RFC 3339 date-time, such as 2026-03-01T12:00:00Z.");
  return std::nullopt;
}

std::optional<bool> BodyMembers::flag(std::string_view name) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  bool flag = false;
  if (member->value.get(flag) == simdjson::SUCCESS) return flag;
  refuse(name, "Must be true or false.");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> BodyMembers::duration(std::string_view name, std::chrono::milliseconds min,
                                                               std::chrono::milliseconds max) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  std::string_view text;
  if (member->value.get(text) == simdjson::SUCCESS) {
    const auto duration = parse_duration(text);
    if (duration && *duration >= min && *duration <= max) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
    }
  }
  refuse(name, "Must be a duration from " + std::to_string(min.count()) + "ms to " + std::to_string(max.count()) +
                   "ms, such as \"2s\".");
  return std::nullopt;
}

std::optional<std::vector<std::string>> BodyMembers::texts(std::string_view name, std::size_t count_max,
                                                           std::size_t bytes_max) {
  const auto values = list(name, count_max, "strings");
  if (!values) return std::nullopt;
  std::vector<std::string> found;
  std::set<std::string_view> seen;
  for (const dom::element value : *values) {
    const std::string place = std::to_string(found.size());
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) {
      refuse(name, place, "Must be a string.");
    } else if (text.empty() || text.size() > bytes_max) {
      refuse(name, place, "Must have 1 to " + std::to_string(bytes_max) + " bytes of UTF-8.");
    } else if (has_control_characters(text)) {
      refuse(name, place, "Must not contain control characters.");
    } else if (!seen.insert(text).second) {
      refuse(name, place, "Stands twice.");
    }
    found.emplace_back(text);
  }
  if (seen.size() < found.size()) return std::nullopt;
  return found;
}

std::optional<std::vector<std::uint64_t>> BodyMembers::integers(std::string_view name, std::size_t count_max,
                                                                std::uint64_t max) {
  const auto values = list(name, count_max, "integers");
  if (!values) return std::nullopt;
  std::vector<std::uint64_t> found;
  std::set<std::uint64_t> seen;
  for (const dom::element value : *values) {
    const std::string place = std::to_string(found.size());
    std::uint64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number > max) {
      refuse(name, place, "Must be an integer from 0 to " + std::to_string(max) + ".");
    } else if (!seen.insert(number).second) {
      refuse(name, place, "Stands twice.");
    }
    found.push_back(number);
  }
  if (seen.size() < found.size()) return std::nullopt;
  return found;
}

std::optional<std::vector<std::pair<std::string, std::string>>> BodyMembers::named_texts(std::string_view name,
                                                                                         std::size_t count_max,
                                                                                         std::size_t bytes_max) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  dom::object object;
  if (member->value.get(object) != simdjson::SUCCESS || object.size() == 0 || object.size() > count_max) {
    refuse(name, "Must be an object with 1 to " + std::to_string(count_max) + " members.");
    return std::nullopt;
  }
  std::vector<std::pair<std::string, std::string>> found;
  bool good = true;
  for (const auto field : object) {
    std::string_view text;
    if (field.value.get(text) == simdjson::SUCCESS && field.key.size() + text.size() <= bytes_max) {
      found.emplace_back(field.key, text);
    } else {
      good = false;
      refuse(name, field.key,
             "Must be a string; with its name it has at most " + std::to_string(bytes_max) + " bytes.");
    }
  }
  if (!good) return std::nullopt;
  return found;
}

std::optional<dom::array> BodyMembers::list(std::string_view name, std::size_t count_max, const char* of_what) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  dom::array values;
  if (member->value.get(values) == simdjson::SUCCESS) {
    // simdjson saturates size() at 2^24 - 1, which is beyond any bound here.
    if (const std::size_t count = values.size(); count > 0 && count <= count_max) return values;
  }
  refuse(name, "Must be a list of 1 to " + std::to_string(count_max) + " " + of_what + ".");
  return std::nullopt;
}

bool BodyMembers::is_null(std::string_view name) const {
  const Member* const member = find(name);
  return member != nullptr && member->value.is_null();
}

std::optional<JsonSpan> BodyMembers::value(std::string_view name) const {
  const Member* const member = find(name);
  return member == nullptr ? std::nullopt : std::optional(member->span);
}

std::optional<BodyMembers> BodyMembers::object(std::string_view name, std::initializer_list<std::string_view> known) {
  const Member* const member = find(name);
  if (member == nullptr) return std::nullopt;
  dom::object object;
  if (member->value.get(object) != simdjson::SUCCESS) {
    refuse(name, "Must be an object.");
    return std::nullopt;
  }
  BodyMembers inner;
  inner.shared_ = shared_;
  inner.pointer_ = pointer_;
  append_pointer_token(inner.pointer_, name);
  inner.read(object, member->span.text, known);
  return inner;
}

void BodyMembers::refuse(std::string_view name, std::string detail) {
  std::string where = pointer_;
  append_pointer_token(where, name);
  shared_->errors.push_back({"pointer", std::move(where), std::move(detail), {}});
}

void BodyMembers::refuse(std::string_view name, std::string_view inner, std::string detail) {
  std::string where = pointer_;
  append_pointer_token(where, name);
  append_pointer_token(where, inner);
  shared_->errors.push_back({"pointer", std::move(where), std::move(detail), {}});
}

void BodyMembers::refuse_at(std::string_view name, std::string_view pointer, std::string detail) {
  std::string where = pointer_;
  append_pointer_token(where, name);
  where += pointer;
  shared_->errors.push_back({"pointer", std::move(where), std::move(detail), {}});
}

std::optional<Problem> BodyMembers::problem() const {
  const auto& errors = shared_->errors;
  if (errors.empty()) return std::nullopt;
  std::string detail = errors.front().where + ": " + errors.front().detail;
  if (errors.size() > 1) detail += " (" + std::to_string(errors.size()) + " errors in all)";
  Problem problem("invalid-request", std::move(detail));
  constexpr std::size_t kFieldErrorsMax = 100;
  std::vector<FieldError> first(errors.begin(), errors.begin() + std::min(errors.size(), kFieldErrorsMax));
  problem.errors(std::move(first));
  return problem;
}

}  // namespace stele::api
