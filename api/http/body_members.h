#pragma once
// A small JSON object that says what a request wants: names, values, and what is wrong with them. What `Parameters` is
// for a query.

#include <simdjson.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http/problem.h"
#include "api/json/json_text.h"
#include "api/json/timestamp.h"
#include "engine/base/ids.h"

namespace stele::api {

/// The refusal of a body that is no JSON, or of one whose values have no form here (`text` was refused by the parser).
[[nodiscard]] Problem unreadable_json(std::string_view text);

/// Reads the members of one object by name. Errors are collected; problem() tells of all of them. Each reader gives
/// none when the member is absent or faulty.
class BodyMembers {
 public:
  /// `body` must stay where it is, with SIMDJSON_PADDING readable bytes behind it; nothing but blanks counts as `{}`.
  /// 400, or 422 if it is no object. A member that is not `known` (static storage), or stands twice, is an error.
  [[nodiscard]] static std::variant<BodyMembers, Problem> parse(std::string_view body,
                                                                std::initializer_list<std::string_view> known);

  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// 1..bytes_max bytes without control characters.
  [[nodiscard]] std::optional<std::string> text(std::string_view name, std::size_t bytes_max = 255);
  [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view name, std::uint64_t min, std::uint64_t max);
  [[nodiscard]] std::optional<Timestamp> timestamp(std::string_view name, FinerTimes finer);
  [[nodiscard]] std::optional<bool> flag(std::string_view name);
  /// A long text of any characters.
  [[nodiscard]] std::optional<std::string> long_text(std::string_view name, std::size_t bytes_max);
  /// Any value, as it stands in the body.
  [[nodiscard]] std::optional<JsonSpan> value(std::string_view name) const;
  /// An object with members of its own, whose errors are this one's.
  [[nodiscard]] std::optional<BodyMembers> object(std::string_view name, std::initializer_list<std::string_view> known);

  void refuse(std::string_view name, std::string detail);
  /// The refusal, if there was any error so far.
  [[nodiscard]] std::optional<Problem> problem() const;

 private:
  struct Member {
    std::string_view name;
    simdjson::dom::element value;
    JsonSpan span;
  };
  struct Shared {
    simdjson::dom::parser parser;
    std::vector<FieldError> errors;
  };
  void read(const simdjson::dom::object& object, std::string_view text, std::initializer_list<std::string_view> known);
  [[nodiscard]] const Member* find(std::string_view name) const;

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::string pointer_;
  std::vector<Member> members_;
};

}  // namespace stele::api
