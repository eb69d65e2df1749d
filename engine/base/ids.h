#pragma once
// Strong identifiers: explicit in (`Position{7}`), explicit out (`p.value()`), and only the arithmetic that means
// something.

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>

namespace stele {

template <class Tag>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(std::uint64_t value) : value_(value) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr StrongId next() const { return StrongId{value_ + 1}; }
  [[nodiscard]] constexpr StrongId plus(std::uint64_t n) const { return StrongId{value_ + n}; }
  /// How far this lies behind `from`; `from` must not be greater.
  [[nodiscard]] constexpr std::uint64_t since(StrongId from) const { return value_ - from.value_; }

  constexpr auto operator<=>(const StrongId&) const = default;

 private:
  std::uint64_t value_ = 0;
};

/// Place of a record in the total order of the log, from 0; also its leaf index in the Merkle tree.
using Position = StrongId<struct PositionTag>;
/// Place of an event in its aggregate, from 1. 0 means "none yet".
using SequenceNumber = StrongId<struct SequenceNumberTag>;
/// Number of a segment file, from 1, contiguous.
using SegmentId = StrongId<struct SegmentIdTag>;
/// Number of a group over the whole log, from 1, contiguous.
using GroupNumber = StrongId<struct GroupNumberTag>;
/// Offset in bytes in a file.
using ByteOffset = StrongId<struct ByteOffsetTag>;

/// Microseconds since 1970-01-01T00:00:00Z; negative before it.
struct Timestamp {
  std::int64_t micros = 0;
  constexpr auto operator<=>(const Timestamp&) const = default;
};

/// 16 bytes in network order (RFC 9562). Used for event ids and store ids.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  constexpr auto operator<=>(const Uuid&) const = default;
};

/// SHA-256 output.
using Digest = std::array<std::uint8_t, 32>;

}  // namespace stele

template <class Tag>
struct std::hash<stele::StrongId<Tag>> {
  std::size_t operator()(stele::StrongId<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value()); }
};
