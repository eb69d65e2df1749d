#pragma once
// The forms in which a text may stand somewhere, for tests that look whether it is anywhere.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/base64.h"

namespace stele::test {

/// The text as it is, as it stands in JSON, and in Base64 wherever in it that begins.
inline std::vector<std::string> forms_of(const std::string& text) {
  std::vector<std::string> forms{text};
  std::string escaped;
  for (const char c : text) escaped += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  if (escaped != text) forms.push_back(escaped);
  const std::size_t plain = forms.size();
  for (std::size_t i = 0; i < plain; ++i) {
    for (std::size_t skipped = 0; skipped < 3; ++skipped) {
      const std::string bytes = forms[i].substr(skipped);
      forms.push_back(base64_encode(std::string_view(bytes).substr(0, bytes.size() / 3 * 3)));
    }
  }
  return forms;
}

}  // namespace stele::test
