#include "tools/cli/json_view.h"

#include <algorithm>
#include <cstddef>

#include "api/json/plain_text.h"
#include "tools/cli/printable.h"

namespace stele::tools {

std::string indented_json(std::string_view json) {
  std::string text;
  std::size_t level = 0;
  // Indentation of absurd nesting would be longer than what it indents.
  constexpr std::size_t kLevelsMax = 64;
  const auto new_line = [&] { text.append(1, '\n').append(2 * std::min(level, kLevelsMax), ' '); };
  const char* at = json.data();
  const char* const end = at + json.size();
  bool opened = false;  // an array or object that has nothing in it so far
  while (at < end) {
    const char c = *at;
    if (api::is_json_space(c)) {
      ++at;
      continue;
    }
    if (c == '}' || c == ']') {
      if (level > 0) --level;
      if (!opened) new_line();
      opened = false;
      text += c;
      ++at;
      continue;
    }
    if (opened) new_line();
    opened = false;
    if (c == '{' || c == '[') {
      ++level;
      opened = true;
      text += c;
    } else if (c == ',') {
      text += c;
      new_line();
    } else if (c == ':') {
      text += ": ";
    } else if (c == '"') {
      const char* const behind = api::end_of_json_string(at, end);
      text += printable({at, static_cast<std::size_t>(behind - at)});
      at = behind;
      continue;
    } else {
      text += c;
    }
    ++at;
  }
  return text;
}

}  // namespace stele::tools
