#include "engine/table/block_bloom.h"

#include <algorithm>

#include "engine/base/check.h"

namespace stele {
namespace {

constexpr std::uint64_t kBitsPerKey = 12;
constexpr std::uint64_t kBlockBits = kBloomBlockBytes * 8;
constexpr std::uint64_t kFolds = 8;  // sizes are multiples of it, so that a filter can be halved three times

// Odd constants of the Parquet specification.
constexpr std::array<std::uint32_t, 8> kSalts = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                                 0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

std::uint32_t mask(std::size_t word, std::uint64_t hash) {
  return 1U << ((static_cast<std::uint32_t>(hash) * kSalts[word]) >> 27);
}

}  // namespace

bool bloom_may_contain(const BloomBlock& block, std::uint64_t hash) {
  std::uint32_t missing = 0;
  for (std::size_t i = 0; i < block.size(); ++i) missing |= mask(i, hash) & ~block[i];
  return missing == 0;
}

std::uint64_t bloom_blocks(std::uint64_t keys) {
  const std::uint64_t blocks = (keys * kBitsPerKey + kBlockBits - 1) / kBlockBits;
  return std::max<std::uint64_t>((blocks + kFolds - 1) / kFolds * kFolds, kFolds);
}

void BlockBloomBuilder::add(std::uint64_t hash) {
  const std::uint64_t number = bloom_block_of(hash, filter_blocks_);
  if (number < first_ || number - first_ >= blocks_.size()) return;
  BloomBlock& block = blocks_[number - first_];
  for (std::size_t i = 0; i < block.size(); ++i) block[i] |= mask(i, hash);
}

void BlockBloomBuilder::fold(std::uint64_t keys) {
  STELE_CHECK(blocks_.size() == filter_blocks_);
  // h mod n mod n/2 = h mod n/2, so the upper half folds onto the lower one.
  while (blocks_.size() % 2 == 0 && keys * kBitsPerKey <= blocks_.size() / 2 * kBlockBits) {
    const std::size_t half = blocks_.size() / 2;
    for (std::size_t b = 0; b < half; ++b) {
      for (std::size_t i = 0; i < blocks_[b].size(); ++i) blocks_[b][i] |= blocks_[b + half][i];
    }
    blocks_.resize(half);
  }
  filter_blocks_ = blocks_.size();
}

std::string_view BlockBloomBuilder::blocks() const {
  return {reinterpret_cast<const char*>(blocks_.data()), blocks_.size() * kBloomBlockBytes};
}

}  // namespace stele
