#pragma once
// Ascending ordinals of the records that share a key. Up to four live inside the object: most correlation ids and many
// aggregates have no more, and a heap block each would cost more than the list.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace stele {

class PostingList {
 public:
  PostingList() = default;
  PostingList(PostingList&& from) noexcept
      : count_(std::exchange(from.count_, 0)), capacity_(std::exchange(from.capacity_, 0)), place_(from.place_) {}
  PostingList& operator=(PostingList&&) = delete;
  ~PostingList() {
    if (capacity_ > 0) delete[] place_.far;
  }

  /// `ordinal` must be greater than every one before.
  void push_back(std::uint32_t ordinal) {
    if (count_ >= kInline && count_ >= capacity_) grow();
    (capacity_ > 0 ? place_.far : place_.near.data())[count_++] = ordinal;
  }

  [[nodiscard]] std::uint32_t size() const { return count_; }
  [[nodiscard]] std::span<const std::uint32_t> ordinals() const {
    return {capacity_ > 0 ? place_.far : place_.near.data(), count_};
  }
  /// Brings the place where the next ordinal goes into the cache.
  void prefetch() const {
    if (capacity_ > 0) __builtin_prefetch(place_.far + count_, 1);
  }

 private:
  static constexpr std::uint32_t kInline = 4;
  void grow() {
    const std::uint32_t capacity = capacity_ > 0 ? capacity_ * 2 : kInline * 4;
    auto* const larger = new std::uint32_t[capacity];
    std::memcpy(larger, ordinals().data(), count_ * sizeof(std::uint32_t));
    if (capacity_ > 0) delete[] place_.far;
    place_.far = larger;
    capacity_ = capacity;
  }

  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = 0;  // of `far`; 0 = the ordinals are in `near`
  union {
    std::array<std::uint32_t, kInline> near{};
    std::uint32_t* far;
  } place_;
};

}  // namespace stele
