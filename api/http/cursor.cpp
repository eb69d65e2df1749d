#include "api/http/cursor.h"

#include "engine/base/base64.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

constexpr char kCursorVersion = 1;
constexpr std::size_t kFixedBytes = 3 + 8 + 8;
constexpr std::size_t kChecksumBytes = 8;

void put_u64(std::string& to, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) to += static_cast<char>((value >> shift) & 0xFF);
}

std::uint64_t get_u64(std::string_view from) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(from[i]);
  return value;
}

}  // namespace

std::string encode_cursor(const Cursor& cursor, std::uint64_t filters) {
  std::string bytes;
  bytes += kCursorVersion;
  bytes += static_cast<char>(cursor.kind);
  bytes += cursor.direction == Direction::Descending ? '\1' : '\0';
  put_u64(bytes, cursor.position.value());
  put_u64(bytes, filters);
  bytes += cursor.key;
  put_u64(bytes, xxh3(bytes));
  return base64url_encode(bytes);
}

std::variant<Cursor, CursorError> decode_cursor(std::string_view text, CursorKind kind, Direction direction,
                                                std::uint64_t filters) {
  const auto decoded = base64url_decode(text);
  if (!decoded || decoded->size() < kFixedBytes + kChecksumBytes) return CursorError::Mangled;
  const std::string_view bytes(*decoded);
  const std::string_view content = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (get_u64(bytes.substr(content.size())) != xxh3(content) || content[0] != kCursorVersion)
    return CursorError::Mangled;
  if (content[1] != static_cast<char>(kind) || content[2] != (direction == Direction::Descending ? '\1' : '\0') ||
      get_u64(content.substr(11)) != filters) {
    return CursorError::OtherQuery;
  }
  return Cursor{kind, direction, Position{get_u64(content.substr(3))}, std::string(content.substr(kFixedBytes))};
}

}  // namespace stele::api
