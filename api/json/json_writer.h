#pragma once
// Writes JSON by appending to a string. No tree, no allocation of its own.

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stele::api {

/// Room that a text of `bytes` needs at most as a JSON string: each may become \u001f.
constexpr std::size_t json_string_bytes_max(std::size_t bytes) { return 2 + 6 * bytes; }

/// Writes `text` as a JSON string, quotes included, and returns the end. `text` must be valid UTF-8; only what JSON
/// demands is escaped. There must be room for json_string_bytes_max().
char* write_json_string(char* to, std::string_view text);
void append_json_string(std::string& to, std::string_view text);

template <std::integral T>
void append_number(std::string& to, T value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  to.append(buffer, static_cast<std::size_t>(end - buffer));
}

/// Places the commas. The caller keeps begin and end balanced and writes a key before each member.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& to) : to_(to) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  /// `name` must need no escaping.
  JsonWriter& key(std::string_view name) {
    if (comma_) to_ += ',';
    to_ += '"';
    to_ += name;
    to_ += "\":";
    comma_ = false;
    return *this;
  }
  JsonWriter& string(std::string_view text) {
    separate();
    append_json_string(to_, text);
    return *this;
  }
  /// A text that is known to need no escaping.
  JsonWriter& plain(std::string_view text) {
    separate();
    to_ += '"';
    to_ += text;
    to_ += '"';
    return *this;
  }
  template <std::integral T>
  JsonWriter& number(T value) {
    separate();
    append_number(to_, value);
    return *this;
  }
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  /// A whole JSON value.
  JsonWriter& raw(std::string_view json) {
    separate();
    to_ += json;
    return *this;
  }
  /// Where the next value may be appended by hand; commas are taken care of.
  std::string& value() {
    separate();
    return to_;
  }

 private:
  void separate() {
    if (comma_) to_ += ',';
    comma_ = true;
  }
  JsonWriter& open(char bracket) {
    separate();
    to_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    to_ += bracket;
    comma_ = true;
    return *this;
  }

  std::string& to_;
  bool comma_ = false;
};

}  // namespace stele::api
