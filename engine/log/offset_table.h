#pragma once
// Where each record of the active segment begins: grows while it is read.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/check.h"

namespace stele {

/// One thread at a time appends. Any thread reads entries it has learned of through a later release store (the durable
/// position).
class OffsetTable {
 public:
  void append(std::uint32_t offset) {
    const std::uint64_t block = size_ / kBlock;
    STELE_CHECK(block < kBlocks);
    if (!blocks_[block]) blocks_[block] = std::make_unique<std::array<std::uint32_t, kBlock>>();
    (*blocks_[block])[size_ % kBlock] = offset;
    ++size_;
  }
  [[nodiscard]] std::uint32_t at(std::uint64_t index) const { return (*blocks_[index / kBlock])[index % kBlock]; }
  /// A hint that the entry will be read soon.
  void prefetch(std::uint64_t index) const { __builtin_prefetch(&(*blocks_[index / kBlock])[index % kBlock]); }
  /// Appending thread only.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Appending thread only.
  [[nodiscard]] std::vector<std::uint32_t> all() const {
    std::vector<std::uint32_t> offsets(size_);
    for (std::uint64_t i = 0; i < size_; ++i) offsets[i] = at(i);
    return offsets;
  }

 private:
  // Blocks never move, so a reader needs no lock. A record takes at least 96 bytes and a segment has fewer than 2^32.
  static constexpr std::uint64_t kBlock = 1ULL << 14;
  static constexpr std::uint64_t kBlocks = (1ULL << 32) / 96 / kBlock + 1;
  std::vector<std::unique_ptr<std::array<std::uint32_t, kBlock>>> blocks_{kBlocks};
  std::uint64_t size_ = 0;
};

}  // namespace stele
