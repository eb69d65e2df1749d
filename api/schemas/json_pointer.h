#pragma once
// Places in JSON values (RFC 6901).

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

class JsonPointer {
 public:
  /// None if it is no pointer: it is empty, or each of its tokens begins with `/`, and `~` is followed by 0 or 1.
  [[nodiscard]] static std::optional<JsonPointer> parse(std::string_view text);

  [[nodiscard]] std::size_t depth() const { return tokens_.size(); }
  /// What token `number` means, from 0.
  [[nodiscard]] const std::string& token(std::size_t number) const { return tokens_[number].text; }
  /// The same as a JSON string.
  [[nodiscard]] const std::string& name(std::size_t number) const { return tokens_[number].json; }
  /// The pointer to what `depth` tokens lead to.
  [[nodiscard]] std::string_view prefix(std::size_t depth) const;
  /// Whether this is the place of `other`, or inside it.
  [[nodiscard]] bool is_within(const JsonPointer& other) const;

 private:
  struct Token {
    std::string text;
    std::string json;
    std::size_t end = 0;  ///< in text_
  };
  std::string text_;
  std::vector<Token> tokens_;
};

/// What is written between slashes, with `~0` and `~1` as what they mean. None if `~` has neither 0 nor 1 behind it.
[[nodiscard]] std::optional<std::string> pointer_token(std::string_view written);
/// What an array takes for the number of an element: digits without a leading zero.
[[nodiscard]] std::optional<std::size_t> array_index(std::string_view token);

}  // namespace stele::api
