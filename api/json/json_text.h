#pragma once
// Walks over JSON text that has already been validated, to find the exact bytes of its values: what simdjson's tree
// does not keep. Text that is not valid JSON gives meaningless spans, but never a read outside the text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stele::api {

/// The bytes of one value, without the white space around it.
struct JsonSpan {
  std::string_view text;
  std::uint32_t depth = 0;  ///< how many arrays and objects lie inside each other; 0 for a scalar
};

/// Throws std::logic_error, which ends the request with a 500: the cursor and simdjson, which has validated the text,
/// do not agree about what it holds.
[[noreturn]] void fail_to_agree();

/// Moves forward through one text. Used side by side with simdjson's iterators, which visit values in the same order.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  /// Enters the array or object that comes next.
  void enter();
  /// Inside an object: moves to the value of the next member; false at the end of the object, which is then behind the
  /// cursor.
  [[nodiscard]] bool next_member();
  /// Inside an array: moves to the next element; false at the end of the array, which is then behind the cursor.
  [[nodiscard]] bool next_element();
  /// Takes the whole value that comes next.
  JsonSpan value();

  // The same where simdjson has found the next one, or the end: whatever bytes made them differ, that must not end the
  // process.
  void expect_member() {
    if (!next_member()) fail_to_agree();
  }
  void expect_no_member() {
    if (next_member()) fail_to_agree();
  }
  void expect_element() {
    if (!next_element()) fail_to_agree();
  }
  void expect_no_element() {
    if (next_element()) fail_to_agree();
  }

 private:
  void skip_space();
  void skip_string();

  const char* at_;
  const char* end_;
};

/// `text` without the byte order mark that some programs put before UTF-8 (RFC 8259, 8.1: a parser may ignore it). One
/// anywhere else is part of the text.
[[nodiscard]] inline std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

/// Appends valid JSON without the white space outside its strings.
void append_minified(std::string& to, std::string_view json);

}  // namespace stele::api
