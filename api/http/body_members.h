#pragma once
// A small JSON object that says what a request wants: names, values, and what is wrong with them. What `Parameters` is
// for a query.

#include <simdjson.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// A text such as `500ms` or `2s`; `min` and `max` are told in whole milliseconds.
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration(std::string_view name, std::chrono::milliseconds min,
                                                                  std::chrono::milliseconds max);
  /// 1..count_max distinct texts, each as text() has them.
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t count_max,
                                                              std::size_t bytes_max = 255);
  /// 1..count_max distinct integers from 0 to `max`.
  [[nodiscard]] std::optional<std::vector<std::uint64_t>> integers(std::string_view name, std::size_t count_max,
                                                                   std::uint64_t max);
  /// An object with 1..count_max members of any names, all of them texts of any characters up to `bytes_max`.
  [[nodiscard]] std::optional<std::vector<std::pair<std::string, std::string>>> named_texts(std::string_view name,
                                                                                            std::size_t count_max,
                                                                                            std::size_t bytes_max);
  /// Whether it is there and says null.
  [[nodiscard]] bool is_null(std::string_view name) const;
  /// A long text of any characters.
  [[nodiscard]] std::optional<std::string> long_text(std::string_view name, std::size_t bytes_max);
  /// Any value, as it stands in the body.
  [[nodiscard]] std::optional<JsonSpan> value(std::string_view name) const;
  /// An object with members of its own, whose errors are this one's.
  [[nodiscard]] std::optional<BodyMembers> object(std::string_view name, std::initializer_list<std::string_view> known);

  void refuse(std::string_view name, std::string detail);
  /// Of what is inside the value of a member: its place or its own name.
  void refuse(std::string_view name, std::string_view inner, std::string detail);
  /// Of what a JSON pointer leads to in the value of a member.
  void refuse_at(std::string_view name, std::string_view pointer, std::string detail);
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
  [[nodiscard]] std::optional<simdjson::dom::array> list(std::string_view name, std::size_t count_max,
                                                         const char* of_what);

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::string pointer_;
  std::vector<Member> members_;
};

}  // namespace stele::api
