#include "api/json/json_diagnosis.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "api/json/hex.h"
#include "api/json/json_string.h"

namespace stele::api {

namespace {

constexpr std::size_t kPointerLevelsMax = 32;
constexpr std::size_t kPointerTokenBytesMax = 128;
constexpr std::size_t kNestingMax = simdjson::DEFAULT_MAX_DEPTH;
constexpr std::size_t kErrorsMax = 20;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}

  JsonDiagnosis run() {
    if (!simdjson::validate_utf8(text_.data(), text_.size())) {
      broken("The body is not valid UTF-8.");
    } else {
      document();
    }
    return std::move(result_);
  }

 private:
  struct Level {
    std::string key;        ///< of the member being read, in an object
    std::size_t index = 0;  ///< of the element being read, in an array
  };

  [[nodiscard]] bool failed() const { return result_.broken.has_value(); }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool broken(std::string detail) {
    if (!failed()) result_.broken = JsonDiagnosis::Broken{at_, std::move(detail)};
    return false;
  }

  void error(std::string detail) {
    if (result_.values.size() >= kErrorsMax) return;
    std::string pointer;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      // While a key is being read, the error belongs to the object that has it.
      if (in_key_ && i + 1 == levels_.size() && levels_.size() == objects_.size()) break;
      append_pointer_token(pointer, objects_[i] ? levels_[i].key : std::to_string(levels_[i].index));
    }
    JsonValueError found{std::move(pointer), std::move(detail)};
    const auto end = result_.values.end();
    if (std::find(result_.values.begin(), end, found) == end) result_.values.push_back(std::move(found));
  }

  void skip_space() {
    while (!at_end() && (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t')) ++at_;
  }

  void document() {
    skip_space();
    if (at_end()) {
      broken("There is no JSON text.");
      return;
    }
    // `objects_` is the stack of open containers; only the outermost levels keep their key or index.
    if (!value()) return;
    while (!objects_.empty()) {
      skip_space();
      if (!(objects_.back() ? member() : element())) return;
    }
    skip_space();
    if (!at_end()) broken("Something follows the end of the JSON value.");
  }

  void open(bool object) {
    ++at_;
    objects_.push_back(object);
    fresh_ = true;
    if (levels_.size() < kPointerLevelsMax && levels_.size() + 1 == objects_.size()) levels_.emplace_back();
    if (objects_.size() == kNestingMax + 1) error("Arrays and objects are nested more than 1024 levels deep.");
  }

  bool close() {
    ++at_;
    if (levels_.size() == objects_.size()) levels_.pop_back();
    objects_.pop_back();
    fresh_ = false;
    return true;
  }

  bool separator(char closing, const char* expected) {
    if (peek() != ',') return broken(expected);
    ++at_;
    skip_space();
    if (peek() == closing) return broken("A value must follow the comma.");
    return true;
  }

  bool member() {
    if (peek() == '}') return close();
    if (!fresh_ && !separator('}', "A ',' or '}' was expected.")) return false;
    fresh_ = false;
    if (peek() != '"') return broken("A member name in quotes was expected.");
    std::string key;
    in_key_ = true;
    if (!string(key)) return false;
    in_key_ = false;
    if (levels_.size() == objects_.size()) levels_.back().key = std::move(key);
    skip_space();
    if (peek() != ':') return broken("A ':' was expected.");
    ++at_;
    skip_space();
    return value();
  }

  bool element() {
    if (peek() == ']') return close();
    if (!fresh_) {
      if (!separator(']', "A ',' or ']' was expected.")) return false;
      if (levels_.size() == objects_.size()) ++levels_.back().index;
    }
    fresh_ = false;
    return value();
  }

  bool value() {
    const char c = peek();
    if (c == '{' || c == '[') {
      open(c == '{');
      return true;
    }
    if (c == '"') {
      std::string ignored;
      return string(ignored);
    }
    if (c == '-' || is_digit(c)) return number();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return true;
      }
    }
    return broken(at_end() ? "The text ends before its value." : "A value was expected.");
  }

  bool number() {
    const std::size_t from = at_;
    bool whole = true;
    if (peek() == '-') ++at_;
    if (!is_digit(peek())) return broken("A digit was expected.");
    if (peek() == '0') {
      ++at_;
      if (is_digit(peek())) return broken("A number must not begin with a zero and another digit.");
    }
    while (is_digit(peek())) ++at_;
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (!is_digit(peek())) return broken("A digit was expected.");
      while (is_digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return broken("A digit was expected.");
      while (is_digit(peek())) ++at_;
    }
    const std::string token(text_.substr(from, at_ - from));
    if (whole) {
      if (!fits_64_bits(token)) error("An integer must fit into 64 bits.");
    } else if (std::isinf(std::strtod(token.c_str(), nullptr))) {
      error("The number is beyond the range of a double.");
    }
    return true;
  }

  static bool fits_64_bits(std::string_view token) {
    const bool negative = token.front() == '-';
    if (negative) token.remove_prefix(1);
    const std::string_view limit = negative ? "9223372036854775808" : "18446744073709551615";
    return token.size() < limit.size() || (token.size() == limit.size() && token <= limit);
  }

  bool hex4(std::uint32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_value(peek());
      if (digit < 0) return broken("Four hex digits were expected.");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  bool unicode_escape(std::string& to) {
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    bool lone = code >= 0xDC00 && code < 0xE000;
    if (code >= 0xD800 && code < 0xDC00) {
      lone = true;
      const std::size_t back = at_;
      std::uint32_t low = 0;
      if (text_.substr(at_, 2) == "\\u") {
        at_ += 2;
        if (!hex4(low)) return false;
      }
      if (low >= 0xDC00 && low < 0xE000) {
        lone = false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = back;
      }
    }
    if (lone) {
      error(in_key_ ? "A member name contains a lone surrogate." : "The string contains a lone surrogate.");
      code = 0xFFFD;
    }
    append_utf8(to, code);
    return true;
  }

  bool string(std::string& to) {
    ++at_;
    while (true) {
      if (at_end()) return broken("A string is not closed.");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return broken("A control character in a string must be escaped.");
      ++at_;
      if (c == '"') return true;
      if (c != '\\') {
        if (in_key_) to += c;
        continue;
      }
      const char escape = peek();
      ++at_;
      if (escape == 'u') {
        if (!unicode_escape(to)) return false;
        continue;
      }
      constexpr std::string_view kEscapes = "\"\\/bfnrt";
      constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
      const std::size_t which = kEscapes.find(escape);
      if (escape == '\0' || which == std::string_view::npos) {
        --at_;
        return broken("There is no such escape in a string.");
      }
      to += kMeanings[which];
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<bool> objects_;
  std::vector<Level> levels_;
  bool fresh_ = false;  ///< nothing of the innermost container has been read yet
  bool in_key_ = false;
  JsonDiagnosis result_;
};

}  // namespace

JsonDiagnosis diagnose_json(std::string_view text) { return Checker(text).run(); }

void append_pointer_token(std::string& pointer, std::string_view token) {
  pointer += '/';
  const bool cut = token.size() > kPointerTokenBytesMax;
  if (cut) {
    std::size_t end = kPointerTokenBytesMax;
    while ((static_cast<unsigned char>(token[end]) & 0xC0) == 0x80) --end;  // not within a character
    token = token.substr(0, end);
  }
  for (const char c : token) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  if (cut) pointer += "…";
}

}  // namespace stele::api
