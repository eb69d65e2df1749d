#pragma once
// Membership filter: split block Bloom filter (Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom
// filters", 2007, in the layout of the Parquet specification). A key sets one bit in each of the eight 32-bit words of
// one 32-byte block, so that a question touches one cache line. At 12 bits a key about one in 200 keys that are not
// there is taken for one that may be.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stele {

inline constexpr std::size_t kBloomBlockBytes = 32;
using BloomBlock = std::array<std::uint32_t, 8>;

/// In which of `blocks` a key is looked for. `hash` is a good 64-bit hash of the key.
[[nodiscard]] inline std::uint64_t bloom_block_of(std::uint64_t hash, std::uint64_t blocks) {
  return (hash >> 32) % blocks;
}
[[nodiscard]] bool bloom_may_contain(const BloomBlock& block, std::uint64_t hash);

/// How many blocks a filter of so many keys has.
[[nodiscard]] std::uint64_t bloom_blocks(std::uint64_t keys);

/// Builds a filter, or a stretch of its blocks, in memory.
class BlockBloomBuilder {
 public:
  /// The blocks [first, first + count) of a filter of `blocks`.
  BlockBloomBuilder(std::uint64_t blocks, std::uint64_t first, std::uint64_t count)
      : filter_blocks_(blocks), first_(first), blocks_(count) {}
  /// A whole filter. `keys_max`: an upper bound; if far fewer come, fold() makes it what they need.
  explicit BlockBloomBuilder(std::uint64_t keys_max)
      : BlockBloomBuilder(bloom_blocks(keys_max), 0, bloom_blocks(keys_max)) {}

  /// Keys of other stretches leave no trace.
  void add(std::uint64_t hash);
  /// Of a whole filter, which has `keys`.
  void fold(std::uint64_t keys);
  /// One after another; they belong to the builder.
  [[nodiscard]] std::string_view blocks() const;

 private:
  std::uint64_t filter_blocks_;
  std::uint64_t first_;
  std::vector<BloomBlock> blocks_;
};

}  // namespace stele
