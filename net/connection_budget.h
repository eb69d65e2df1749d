#pragma once
// What all connections together may use: their number, their number per address, and the memory of their bodies, those
// they send and those they get. Thread-safe.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/base/keyed_hash.h"

namespace stele::net {

class ConnectionBudget {
 public:
  /// So many connections more may be open at a time, to be told that they are too many.
  static constexpr std::size_t refused_max = 64;

  ConnectionBudget(std::size_t connections_max, std::size_t per_address_max, std::uint64_t body_bytes_max)
      : connections_max_(connections_max), per_address_max_(per_address_max), body_bytes_max_(body_bytes_max) {}

  enum class Admission {
    Welcome,
    TooMany,
    TooManyFromAddress,
    Hopeless,  ///< so many are being refused that there is not even room to say so
  };

  /// Counts the connection in unless it is Hopeless; leave() must follow with the answer. Those that are refused take
  /// nobody's place: they stay only to hear it.
  [[nodiscard]] Admission enter(const std::string& address) {
    const std::lock_guard lock(mutex_);
    Admission admission = Admission::Welcome;
    if (welcome_ >= connections_max_) {
      admission = Admission::TooMany;
    } else if (const auto found = by_address_.find(address);
               found != by_address_.end() && found->second >= per_address_max_) {
      admission = Admission::TooManyFromAddress;
    }
    if (admission == Admission::Welcome) {
      if (per_address_max_ > 0) ++by_address_[address];
      ++welcome_;
    } else if (refused_ == refused_max) {
      return Admission::Hopeless;
    } else {
      ++refused_;
    }
    return admission;
  }

  void leave(const std::string& address, Admission admission) {
    const std::lock_guard lock(mutex_);
    if (admission != Admission::Welcome) {
      --refused_;
      return;
    }
    --welcome_;
    const auto found = by_address_.find(address);
    if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
  }

  /// Those that are being refused included.
  [[nodiscard]] std::size_t connections() const {
    const std::lock_guard lock(mutex_);
    return welcome_ + refused_;
  }

  /// Takes memory for a body; false if all bodies together would be too large.
  [[nodiscard]] bool take_body_bytes(std::uint64_t bytes) {
    if (body_bytes_.fetch_add(bytes) + bytes <= body_bytes_max_) return true;
    body_bytes_.fetch_sub(bytes);
    return false;
  }
  [[nodiscard]] bool is_half_used() const { return body_bytes_.load() > body_bytes_max_ / 2; }
  /// Takes it in any case, for a body that must not be refused: others have to wait then.
  void force_body_bytes(std::uint64_t bytes) { body_bytes_.fetch_add(bytes); }
  void give_body_bytes(std::uint64_t bytes) { body_bytes_.fetch_sub(bytes); }

 private:
  struct AddressHash {
    std::size_t operator()(const std::string& address) const { return keyed_hash(address); }
  };

  const std::size_t connections_max_;
  const std::size_t per_address_max_;
  const std::uint64_t body_bytes_max_;
  std::atomic<std::uint64_t> body_bytes_{0};
  mutable std::mutex mutex_;
  std::size_t welcome_ = 0;
  std::size_t refused_ = 0;
  std::unordered_map<std::string, std::size_t, AddressHash> by_address_;  ///< the welcome ones, if there is a limit
};

}  // namespace stele::net
