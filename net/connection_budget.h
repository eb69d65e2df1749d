#pragma once
// What all connections together may use: their number, their number per address, and the memory of their bodies.
// Thread-safe.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "api/traffic_metrics.h"

namespace stele::net {

class ConnectionBudget {
 public:
  /// `counts` must outlive this.
  ConnectionBudget(std::size_t connections_max, std::size_t per_address_max, std::uint64_t body_bytes_max,
                   api::ConnectionCounts& counts)
      : connections_max_(connections_max),
        per_address_max_(per_address_max),
        body_bytes_max_(body_bytes_max),
        counts_(counts) {}

  enum class Admission {
    Welcome,
    TooMany,
    TooManyFromAddress,
    Hopeless,  ///< so many beyond the limit that there is not even room to say so
  };

  /// Counts the connection in, whatever the answer unless it is Hopeless; leave() must follow.
  [[nodiscard]] Admission enter(const std::string& address) {
    counts_.accepted.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t now = counts_.open.fetch_add(1) + 1;
    if (now > connections_max_ + refused_max) {
      counts_.open.fetch_sub(1);
      counts_.refused_without_answer.fetch_add(1, std::memory_order_relaxed);
      return Admission::Hopeless;
    }
    bool crowded = false;
    if (per_address_max_ > 0) {
      const std::lock_guard lock(mutex_);
      crowded = ++by_address_[address] > per_address_max_;
    }
    if (now > connections_max_) {
      counts_.refused.fetch_add(1, std::memory_order_relaxed);
      return Admission::TooMany;
    }
    if (!crowded) return Admission::Welcome;
    counts_.refused_from_address.fetch_add(1, std::memory_order_relaxed);
    return Admission::TooManyFromAddress;
  }

  void leave(const std::string& address) {
    if (per_address_max_ > 0) {
      const std::lock_guard lock(mutex_);
      const auto found = by_address_.find(address);
      if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
    }
    counts_.open.fetch_sub(1);
  }

  [[nodiscard]] std::size_t connections() const { return counts_.open.load(); }

  /// Takes memory for a body; false if all bodies together would be too large.
  [[nodiscard]] bool take_body_bytes(std::uint64_t bytes) {
    if (counts_.body_bytes.fetch_add(bytes) + bytes <= body_bytes_max_) return true;
    counts_.body_bytes.fetch_sub(bytes);
    return false;
  }
  [[nodiscard]] bool is_half_used() const { return counts_.body_bytes.load() > body_bytes_max_ / 2; }
  void give_body_bytes(std::uint64_t bytes) { counts_.body_bytes.fetch_sub(bytes); }

 private:
  static constexpr std::size_t refused_max = 64;

  const std::size_t connections_max_;
  const std::size_t per_address_max_;
  const std::uint64_t body_bytes_max_;
  api::ConnectionCounts& counts_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> by_address_;
};

}  // namespace stele::net
