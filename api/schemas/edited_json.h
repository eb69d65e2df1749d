#pragma once
// A JSON value that is being changed, looked into only where that is needed.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/schemas/json_pointer.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

/// Borrows all texts that are put into it, which are valid JSON. What cannot be done says why (error()), and nothing is
/// to be done after it. One thread.
class EditedJson {
 public:
  struct Limits {
    std::size_t depth_max = 512;
    std::size_t bytes_max = 16U << 20;  ///< of the text and all that is added to it
    std::uint64_t work = 1'000'000;
  };
  struct EditError {
    std::string pointer;
    std::string detail;
  };

  struct Member;
  /// A value: text that was not looked into, or its members.
  struct Value {
    enum class Kind : std::uint8_t { Text, Object, Array };
    Kind kind = Kind::Text;
    std::uint32_t depth = 0;      ///< of the text: JsonSpan::depth
    std::string_view text;        ///< without white space around it
    std::vector<Member> members;  ///< elements have no names
  };

  EditedJson(std::string_view json, const Limits& limits);
  ~EditedJson();
  EditedJson(const EditedJson&) = delete;
  EditedJson& operator=(const EditedJson&) = delete;

  /// Null if nothing is there, or there is an error. Until the next change.
  [[nodiscard]] Value* find(const JsonPointer& place);
  /// False: there is an error.
  bool put(const JsonPointer& place, Value value);
  /// What is there, which is found. Not of the whole value.
  bool remove(const JsonPointer& place);
  /// Gives a member, which is found, another name (a JSON string).
  bool rename(const JsonPointer& place, std::string_view name);
  /// Puts what is there, which is found, into an array.
  bool wrap(const JsonPointer& place, Value& value);

  /// A value of its own with this text, or the contents of `value`; none if there is an error.
  [[nodiscard]] std::optional<Value> value_of(std::string_view json);
  [[nodiscard]] std::optional<Value> copy_of(const Value& value);

  [[nodiscard]] const std::optional<EditError>& error() const { return error_; }
  /// Without white space outside strings.
  [[nodiscard]] std::string text() const;

 private:
  void expand(Value& value);
  [[nodiscard]] Member* member(Value& object, std::string_view name);
  [[nodiscard]] Value* slot(const JsonPointer& place);
  [[nodiscard]] std::optional<std::uint32_t> depth_of(const Value& value);
  [[nodiscard]] bool fits(const JsonPointer& place, std::uint32_t depth);
  [[nodiscard]] bool spend(std::uint64_t units);
  [[nodiscard]] bool grow(std::size_t bytes);
  bool fail(std::string_view pointer, std::string detail);
  [[nodiscard]] bool copy(const Value& from, Value& to);
  static void append(std::string& to, const Value& value);

  const Limits limits_;
  WorkBudget work_;
  std::size_t bytes_;
  std::optional<EditError> error_;
  Value root_;
};

struct EditedJson::Member {
  std::string_view name;  ///< as written, with quotes
  Value value;
};

}  // namespace stele::api
