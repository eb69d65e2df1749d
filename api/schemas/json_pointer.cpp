#include "api/schemas/json_pointer.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "api/json/json_writer.h"

namespace stele::api {

std::optional<JsonPointer> JsonPointer::parse(std::string_view text) {
  JsonPointer pointer;
  pointer.text_ = text;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '/') return std::nullopt;
    const std::size_t end = std::min(text.find('/', at + 1), text.size());
    auto meant = pointer_token(text.substr(at + 1, end - at - 1));
    if (!meant) return std::nullopt;
    Token token{.text = *std::move(meant), .json = {}, .end = end};
    append_json_string(token.json, token.text);
    at = end;
    pointer.tokens_.push_back(std::move(token));
  }
  return pointer;
}

std::string_view JsonPointer::prefix(std::size_t depth) const {
  return std::string_view(text_).substr(0, depth == 0 ? 0 : tokens_[depth - 1].end);
}

bool JsonPointer::is_within(const JsonPointer& other) const {
  return tokens_.size() >= other.tokens_.size() &&
         std::equal(other.tokens_.begin(), other.tokens_.end(), tokens_.begin(),
                    [](const Token& a, const Token& b) { return a.text == b.text; });
}

std::optional<std::string> pointer_token(std::string_view written) {
  std::string text;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '~') {
      text += written[i];
      continue;
    }
    if (++i == written.size() || (written[i] != '0' && written[i] != '1')) return std::nullopt;
    text += written[i] == '0' ? '~' : '/';
  }
  return text;
}

std::optional<std::size_t> array_index(std::string_view token) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  if (token.size() > 1 && token.front() == '0') return std::nullopt;
  return index;
}

}  // namespace stele::api
