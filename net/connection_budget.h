#pragma once
// What all connections together may use: their number, their number per address, and the memory of their bodies.
// Thread-safe.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace stele::net {

class ConnectionBudget {
 public:
  /// `per_address_max` 0: half of `connections_max`, so that no one address can keep all others out, and no limit for
  /// this machine itself, where a proxy may stand for everyone.
  ConnectionBudget(std::size_t connections_max, std::size_t per_address_max, std::uint64_t body_bytes_max)
      : connections_max_(connections_max),
        refused_max_(std::clamp<std::size_t>(connections_max / 4, 16, 64)),
        per_address_max_(per_address_max > 0 ? per_address_max : std::max<std::size_t>(connections_max / 2, 1)),
        loopback_counts_(per_address_max > 0),
        body_bytes_max_(body_bytes_max) {}

  enum class Admission {
    Welcome,
    TooMany,
    TooManyFromAddress,
    Hopeless,  ///< so many beyond the limit that there is not even room to say so
  };

  /// Counts the connection in, whatever the answer unless it is Hopeless; leave() must follow.
  [[nodiscard]] Admission enter(const std::string& address) {
    const std::size_t now = connections_.fetch_add(1) + 1;
    if (now > connections_max_ + refused_max_) {
      connections_.fetch_sub(1);
      return Admission::Hopeless;
    }
    bool crowded = false;
    if (const std::string source = source_of(address); !source.empty()) {
      const std::lock_guard lock(mutex_);
      std::size_t& here = by_source_[source];
      if (here >= per_address_max_ + refused_max_) {
        connections_.fetch_sub(1);
        return Admission::Hopeless;
      }
      crowded = ++here > per_address_max_;
    }
    if (now > connections_max_) return Admission::TooMany;
    return crowded ? Admission::TooManyFromAddress : Admission::Welcome;
  }

  void leave(const std::string& address) {
    if (const std::string source = source_of(address); !source.empty()) {
      const std::lock_guard lock(mutex_);
      const auto found = by_source_.find(source);
      if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
    }
    connections_.fetch_sub(1);
  }

  [[nodiscard]] std::size_t connections() const { return connections_.load(); }

  /// Takes memory for a body; false if all bodies together would be too large.
  [[nodiscard]] bool take_body_bytes(std::uint64_t bytes) {
    if (body_bytes_.fetch_add(bytes) + bytes <= body_bytes_max_) return true;
    body_bytes_.fetch_sub(bytes);
    return false;
  }
  [[nodiscard]] bool is_half_used() const { return body_bytes_.load() > body_bytes_max_ / 2; }
  void give_body_bytes(std::uint64_t bytes) { body_bytes_.fetch_sub(bytes); }

 private:
  /// Who shares an allowance: an IPv4 address, or the /64 network of an IPv6 address, all of which one host may use.
  /// Empty = not counted.
  [[nodiscard]] std::string source_of(const std::string& address) const {
    if (!loopback_counts_ && (address.starts_with("127.") || address == "::1")) return {};
    in6_addr v6{};
    const std::string without_zone = address.substr(0, address.find('%'));
    if (::inet_pton(AF_INET6, without_zone.c_str(), &v6) != 1) return address;
    return std::string(reinterpret_cast<const char*>(v6.s6_addr), 8);
  }

  const std::size_t connections_max_;
  const std::size_t refused_max_;  ///< beyond them, at a time, are told so
  const std::size_t per_address_max_;
  const bool loopback_counts_;
  const std::uint64_t body_bytes_max_;
  std::atomic<std::size_t> connections_{0};
  std::atomic<std::uint64_t> body_bytes_{0};
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> by_source_;
};

}  // namespace stele::net
