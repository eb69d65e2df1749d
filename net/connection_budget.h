#pragma once
// What all connections together may use: their number, their number per address, and the memory of their bodies, those
// they send and those they get. Thread-safe.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "api/traffic_metrics.h"
#include "engine/base/keyed_hash.h"

namespace stele::net {

class ConnectionBudget {
 public:
  /// `per_address_max` 0: half of `connections_max`, so that no one address can keep all others out, and no limit for
  /// this machine itself, where a proxy may stand for everyone. `counts` must outlive this.
  ConnectionBudget(std::size_t connections_max, std::size_t per_address_max, std::uint64_t body_bytes_max,
                   api::ConnectionCounts& counts)
      : connections_max_(connections_max),
        refused_max_(std::clamp<std::size_t>(connections_max / 4, 16, 64)),
        per_address_max_(per_address_max > 0 ? per_address_max : std::max<std::size_t>(connections_max / 2, 1)),
        loopback_counts_(per_address_max > 0),
        body_bytes_max_(body_bytes_max),
        counts_(counts) {}

  enum class Admission {
    Welcome,
    TooMany,
    TooManyFromAddress,
    Hopeless,  ///< so many are being refused that there is not even room to say so
  };

  /// Counts the connection in unless it is Hopeless; leave() must follow with the answer. Those that are refused take
  /// nobody's place: they stay only to hear it.
  [[nodiscard]] Admission enter(const std::string& address) {
    const std::string source = source_of(address);
    counts_.accepted.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    Admission admission = Admission::Welcome;
    if (welcome_ >= connections_max_) {
      admission = Admission::TooMany;
    } else if (const auto found = by_source_.find(source); found != by_source_.end() && found->second >= per_address_max_) {
      admission = Admission::TooManyFromAddress;
    }
    if (admission == Admission::Welcome) {
      if (!source.empty()) ++by_source_[source];
      ++welcome_;
    } else if (refused_ == refused_max_) {
      counts_.refused_without_answer.fetch_add(1, std::memory_order_relaxed);
      return Admission::Hopeless;
    } else {
      ++refused_;
    }
    counts_.open.fetch_add(1, std::memory_order_relaxed);
    if (admission == Admission::TooMany) counts_.refused.fetch_add(1, std::memory_order_relaxed);
    if (admission == Admission::TooManyFromAddress) counts_.refused_from_address.fetch_add(1, std::memory_order_relaxed);
    return admission;
  }

  void leave(const std::string& address, Admission admission) {
    counts_.open.fetch_sub(1, std::memory_order_relaxed);
    const std::string source = source_of(address);
    const std::lock_guard lock(mutex_);
    if (admission != Admission::Welcome) {
      --refused_;
      return;
    }
    --welcome_;
    const auto found = by_source_.find(source);
    if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
  }

  /// Those that are being refused included.
  [[nodiscard]] std::size_t connections() const { return counts_.open.load(); }

  /// Takes memory for a body; false if all bodies together would be too large.
  [[nodiscard]] bool take_body_bytes(std::uint64_t bytes) {
    if (counts_.body_bytes.fetch_add(bytes) + bytes <= body_bytes_max_) return true;
    counts_.body_bytes.fetch_sub(bytes);
    return false;
  }
  [[nodiscard]] bool is_half_used() const { return counts_.body_bytes.load() > body_bytes_max_ / 2; }
  /// Takes it in any case, for a body that must not be refused: others have to wait then.
  void force_body_bytes(std::uint64_t bytes) { counts_.body_bytes.fetch_add(bytes); }
  void give_body_bytes(std::uint64_t bytes) { counts_.body_bytes.fetch_sub(bytes); }

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

  struct SourceHash {
    std::size_t operator()(const std::string& source) const { return keyed_hash(source); }
  };

  const std::size_t connections_max_;
  const std::size_t refused_max_;  ///< beyond them, at a time, are told so
  const std::size_t per_address_max_;
  const bool loopback_counts_;
  const std::uint64_t body_bytes_max_;
  api::ConnectionCounts& counts_;
  std::mutex mutex_;
  std::size_t welcome_ = 0;
  std::size_t refused_ = 0;
  std::unordered_map<std::string, std::size_t, SourceHash> by_source_;  ///< the welcome ones that are counted
};

}  // namespace stele::net
