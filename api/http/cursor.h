#pragma once
// Where the next page of a list begins. Opaque to clients: base64url of kind, direction, place, a hash of the store's
// id and the query's filters, and a checksum, so that a mangled cursor and one of another query or store are told apart
// from a good one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "engine/store/store.h"

namespace stele::api {

enum class CursorKind : std::uint8_t {
  Events = 1,
  Aggregates = 2,
  Subscriptions = 3,
  DeadLetters = 4,
  HeldAggregates = 5,
  AuditRecords = 6,
};

struct Cursor {
  CursorKind kind = CursorKind::Events;
  Direction direction = Direction::Ascending;
  /// The last that was examined (events, dead letters); of a record of the aggregate examined last (aggregates).
  Position position;
  /// Id of the last one that was given (aggregates, held ones too, subscriptions); empty: `position` tells.
  std::string key;
  bool operator==(const Cursor&) const = default;
};

enum class CursorError {
  Mangled,
  OtherQuery,  ///< sound, but made by another store, list, direction or set of filters
};

/// What decode_cursor() looks at; no cursor is nearly as long.
inline constexpr std::size_t kCursorBytesMax = 64U << 10;

/// `filters` identifies the query: a hash of the id of its store and all its filters.
[[nodiscard]] std::string encode_cursor(const Cursor& cursor, std::uint64_t filters);
[[nodiscard]] std::variant<Cursor, CursorError> decode_cursor(std::string_view text, CursorKind kind,
                                                              Direction direction, std::uint64_t filters);

}  // namespace stele::api
