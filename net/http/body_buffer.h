#pragma once
// Memory for a request body that does not fit behind its header. It grows with what has really arrived, so that a
// client cannot take memory by announcing a large body, and every byte is taken from the budget of all connections.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "net/http/connection_budget.h"

namespace stele::net {

class BodyBuffer {
 public:
  static constexpr std::size_t padding = 64;  ///< readable bytes behind the body

  explicit BodyBuffer(ConnectionBudget& budget) : budget_(budget) {}
  ~BodyBuffer() { free(); }
  BodyBuffer(const BodyBuffer&) = delete;
  BodyBuffer& operator=(const BodyBuffer&) = delete;

  /// From whose share of the budget the memory is taken from now on.
  void bill(std::string payer) {
    if (payer == payer_) return;
    free();
    payer_ = std::move(payer);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  /// Room behind the body, to be filled and then counted with grew().
  [[nodiscard]] char* room() { return bytes_.get() + size_; }
  [[nodiscard]] std::size_t room_bytes() const { return capacity_ - size_; }
  void grew(std::size_t bytes) { size_ += bytes; }

  /// Makes room for at least `more` bytes, doubling up to `final_size` if that is known to be all. False if the budget,
  /// the payer's share of it or the memory is exhausted.
  [[nodiscard]] bool reserve(std::size_t more, std::size_t final_size) {
    const std::size_t needed = size_ + more;
    if (needed <= capacity_) return true;
    const std::size_t target = std::max(needed, std::min(final_size, std::max(capacity_ * 2, smallest)));
    if (!budget_.take_body_bytes(target, payer_)) return false;
    std::unique_ptr<char[]> larger(new (std::nothrow) char[target + padding]);
    if (larger == nullptr) {
      budget_.give_body_bytes(target, payer_);
      return false;
    }
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    // The padding is read, though never used: give it a value.
    std::memset(larger.get() + target, 0, padding);
    budget_.give_body_bytes(capacity_, payer_);
    bytes_ = std::move(larger);
    capacity_ = target;
    return true;
  }

  [[nodiscard]] bool append(std::string_view bytes, std::size_t final_size) {
    if (bytes.empty()) return true;  // there may be no memory yet to copy to
    if (!reserve(bytes.size(), final_size)) return false;
    std::memcpy(room(), bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
  }

  /// Forgets the body; keeps its memory for the next one if that is modest.
  void clear() {
    size_ = 0;
    if (capacity_ > kept_max || budget_.is_half_used()) free();
  }

  void free() {
    bytes_.reset();
    budget_.give_body_bytes(capacity_, payer_);
    capacity_ = size_ = 0;
  }

 private:
  static constexpr std::size_t smallest = 64 * 1024;
  static constexpr std::size_t kept_max = 1024 * 1024;

  ConnectionBudget& budget_;
  std::string payer_;
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace stele::net
