#include "api/json_writer.h"

#include "api/plain_text.h"

namespace stele::api {

namespace {

bool needs_escape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }

void append_escaped(std::string& to, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      to += "\\\"";
      return;
    case '\\':
      to += "\\\\";
      return;
    case '\b':
      to += "\\b";
      return;
    case '\f':
      to += "\\f";
      return;
    case '\n':
      to += "\\n";
      return;
    case '\r':
      to += "\\r";
      return;
    case '\t':
      to += "\\t";
      return;
    default:
      to += "\\u00";
      to += kHex[c >> 4];
      to += kHex[c & 15];
  }
}

}  // namespace

void append_json_string(std::string& to, std::string_view text) {
  to += '"';
  std::size_t from = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); (at = end_of_plain(at, end)) < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (!needs_escape(c)) continue;
    const auto i = static_cast<std::size_t>(at - text.data());
    to.append(text, from, i - from);
    append_escaped(to, c);
    from = i + 1;
  }
  to.append(text, from);
  to += '"';
}

}  // namespace stele::api
