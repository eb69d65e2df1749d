#pragma once
// Ascending ordinals of the records that share a key. Up to three live inside the object: most correlation ids and many aggregates
// have no more, and a heap block each would cost more than the list.

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/check.h"

namespace stele {

class PostingList {
 public:
  /// `ordinal` must be greater than every one before.
  void push_back(std::uint32_t ordinal) {
    if (count_ < kInline) {
      inline_[count_++] = ordinal;
      return;
    }
    if (!more_) more_ = std::make_unique<std::vector<std::uint32_t>>(inline_.begin(), inline_.end());
    more_->push_back(ordinal);
    ++count_;
  }

  [[nodiscard]] std::uint32_t size() const { return count_; }
  [[nodiscard]] std::span<const std::uint32_t> ordinals() const {
    if (more_) return {more_->data(), more_->size()};
    return {inline_.data(), count_};
  }

 private:
  static constexpr std::uint32_t kInline = 3;
  std::uint32_t count_ = 0;
  std::array<std::uint32_t, kInline> inline_{};
  std::unique_ptr<std::vector<std::uint32_t>> more_;
};

}  // namespace stele
