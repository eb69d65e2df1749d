#include "api/json/json_writer.h"

#include <cstring>

#include "api/json/plain_text.h"

namespace stele::api {

namespace {

bool needs_escape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\'; }

/// Copies N bytes and goes on behind those that are plain; true if all are.
template <std::size_t N>
[[gnu::always_inline]] inline bool copy_plain(const char*& at, char*& to) {
  std::memcpy(to, at, N);
  const std::size_t plain = plain_of<N>(at);
  at += plain;
  to += plain;
  return plain == N;
}

/// Copies [at, end), which has at least N bytes, up to the first that is not plain.
template <std::size_t N>
void copy_while_plain(const char*& at, const char* end, char*& to) {
  while (static_cast<std::size_t>(end - at) >= N) {
    if (!copy_plain<N>(at, to)) return;
  }
  // The last N bytes once more are cheaper than what is left one by one.
  const std::size_t again = N - static_cast<std::size_t>(end - at);
  at -= again;
  to -= again;
  copy_plain<N>(at, to);
}

char* write_escaped(char* to, unsigned char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  *to++ = '\\';
  switch (c) {
    case '"':
    case '\\':
      *to++ = static_cast<char>(c);
      return to;
    case '\b':
      *to++ = 'b';
      return to;
    case '\f':
      *to++ = 'f';
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    default:
      std::memcpy(to, "u00", 3);
      to[3] = kHex[c >> 4];
      to[4] = kHex[c & 15];
      return to + 5;
  }
}

}  // namespace

char* write_json_string(char* to, std::string_view text) {
  *to++ = '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  // Nearly every text is plain to its end.
  if (text.size() >= 16) {
    copy_while_plain<16>(at, end, to);
  } else if (text.size() >= 8) {
    copy_while_plain<8>(at, end, to);
  }
  for (; at < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (needs_escape(c)) {
      to = write_escaped(to, c);
    } else {
      *to++ = *at;
    }
  }
  *to++ = '"';
  return to;
}

void append_json_string(std::string& to, std::string_view text) {
  const std::size_t before = to.size();
  to.resize(before + json_string_bytes_max(text.size()));
  const char* const end = write_json_string(to.data() + before, text);
  to.resize(static_cast<std::size_t>(end - to.data()));
}

}  // namespace stele::api
