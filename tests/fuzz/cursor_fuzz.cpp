// Cursors as clients send them back.

#include "api/http/cursor.h"

#include "engine/base/base64.h"
#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

constexpr std::uint64_t kFilters = 0x0102030405060708;

std::vector<std::string> seeds() {
  return {encode_cursor({CursorKind::Events, Direction::Ascending, Position{42}, {}}, kFilters),
          encode_cursor({CursorKind::Aggregates, Direction::Descending, Position{}, "mission/1"}, kFilters),
          *base64url_decode(encode_cursor({CursorKind::Events, Direction::Descending, Position{7}, {}}, kFilters))};
}

/// A cursor that is taken is exactly the one that was given.
void check(std::string_view text) {
  for (const CursorKind kind : {CursorKind::Events, CursorKind::Aggregates}) {
    for (const Direction direction : {Direction::Ascending, Direction::Descending}) {
      const auto decoded = decode_cursor(text, kind, direction, kFilters);
      if (const auto* cursor = std::get_if<Cursor>(&decoded)) {
        STELE_CHECK(cursor->kind == kind && cursor->direction == direction);
        STELE_CHECK(encode_cursor(*cursor, kFilters) == text);
      }
    }
  }
}

}  // namespace

FUZZ_TARGET(cursor, seeds) {
  const fuzz::Exact exact(input);
  check(exact.view());
  // The input as the bytes inside, with their checksum.
  std::string bytes(input);
  put<std::uint64_t>(bytes, xxh3(bytes));
  check(base64url_encode(bytes));
  // And as an aggregate's id, which must come back.
  const Cursor cursor{CursorKind::Aggregates, Direction::Ascending, Position{}, std::string(input)};
  const auto back = decode_cursor(encode_cursor(cursor, kFilters), cursor.kind, cursor.direction, kFilters);
  STELE_CHECK(std::holds_alternative<Cursor>(back) && std::get<Cursor>(back) == cursor);
}

}  // namespace stele::api
