#include "api/http/cursor.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace stele;
using namespace stele::api;

TEST_CASE("Cursor.ComesBackForTheSameQueryOnly") {
  const Cursor cursor{CursorKind::Aggregates, Direction::Ascending, Position{77}, "src/server.c"};
  const std::string text = encode_cursor(cursor, 42);
  const auto decode = [&](CursorKind kind, Direction direction, std::uint64_t filters) {
    return decode_cursor(text, kind, direction, filters);
  };
  CHECK(std::get<Cursor>(decode(CursorKind::Aggregates, Direction::Ascending, 42)) == cursor);
  CHECK(std::get<CursorError>(decode(CursorKind::Aggregates, Direction::Ascending, 43)) == CursorError::OtherQuery);
  CHECK(std::get<CursorError>(decode(CursorKind::Aggregates, Direction::Descending, 42)) == CursorError::OtherQuery);
  CHECK(std::get<CursorError>(decode(CursorKind::Events, Direction::Ascending, 42)) == CursorError::OtherQuery);
}

TEST_CASE("Cursor.EveryChangedCharacterIsFound") {
  const std::string text = encode_cursor({CursorKind::Events, Direction::Descending, Position{123456}, {}}, 99);
  const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ %";
  const auto mangled = [](const std::string& changed) {
    const auto result = decode_cursor(changed, CursorKind::Events, Direction::Descending, 99);
    return std::holds_alternative<CursorError>(result) && std::get<CursorError>(result) == CursorError::Mangled;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : alphabet) {
      if (c == text[i]) continue;
      std::string changed = text;
      changed[i] = c;
      REQUIRE(mangled(changed));
    }
    REQUIRE(mangled(text.substr(0, i)));
  }
  CHECK(mangled(text + "A"));
  CHECK(mangled(""));
}
