#pragma once
// What may be chosen about a snapshot store.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

namespace stele {

struct SnapshotSettings {
  /// States in memory that are not written yet. Up to twice as much, and one state, is held while the disk is slow.
  std::uint64_t memory_bytes_max = 8ULL << 20;
  std::chrono::microseconds memory_age_max{5'000'000};  ///< they are written when the oldest is this old, however few
  std::uint64_t state_bytes_max = 64ULL << 20;
  std::uint32_t keep = 2;  ///< newest states of a key that are kept unless put() says otherwise, 1 .. kSnapshotKeepMax
  /// Rate of writing in the background; 0 = no thread, put() and remove() do what is due.
  std::uint64_t write_bytes_per_second = 32ULL << 20;
  /// Names whose states a merge may leave out, such as handlers that are gone. Until then they are still given out.
  /// Empty = none. Called on any of the store's threads; must be quick and must not call the store.
  std::function<bool(std::string_view name)> unwanted{};
};

}  // namespace stele
