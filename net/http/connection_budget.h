#pragma once
// What all connections together may use: their number, their number per address, and the memory of their bodies, those
// they send and those they get, and of that what one caller may. Thread-safe.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "api/endpoint/traffic_metrics.h"
#include "engine/base/keyed_hash.h"

namespace stele::net {

class ConnectionBudget {
 public:
  /// `per_address_max` 0: half of `connections_max`, so that no one address can keep all others out, and no limit for
  /// this machine itself, where a proxy may stand for everyone. One payer gets half of `body_bytes_max`, but always
  /// `body_share_min`. `counts` must outlive this.
  ConnectionBudget(std::size_t connections_max, std::size_t per_address_max, std::uint64_t body_bytes_max,
                   std::uint64_t body_share_min, api::ConnectionCounts& counts)
      : connections_max_(connections_max),
        refused_max_(std::clamp<std::size_t>(connections_max / 4, 16, 64)),
        per_address_max_(per_address_max > 0 ? per_address_max : std::max<std::size_t>(connections_max / 2, 1)),
        loopback_counts_(per_address_max > 0),
        body_bytes_max_(body_bytes_max),
        body_share_max_(std::min(body_bytes_max, std::max(body_bytes_max / 2, body_share_min))),
        counts_(counts) {}

  enum class Admission {
    Accepted,
    TooMany,
    TooManyFromAddress,
    Dropped,  ///< so many are being refused that there is not even room to say so
  };

  /// Counts the connection in unless it is Dropped; leave() must follow with the answer. Those that are refused take
  /// nobody's place: they stay only to hear it.
  [[nodiscard]] Admission enter(const std::string& address) {
    const std::string source = source_of(address);
    counts_.accepted.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    Admission admission = Admission::Accepted;
    if (accepted_ >= connections_max_) {
      admission = Admission::TooMany;
    } else if (const auto found = by_source_.find(source);
               found != by_source_.end() && found->second >= per_address_max_) {
      admission = Admission::TooManyFromAddress;
    }
    if (admission == Admission::Accepted) {
      if (!source.empty()) ++by_source_[source];
      ++accepted_;
    } else if (refused_ == refused_max_) {
      counts_.refused_without_answer.fetch_add(1, std::memory_order_relaxed);
      return Admission::Dropped;
    } else {
      ++refused_;
    }
    counts_.open.fetch_add(1, std::memory_order_relaxed);
    if (admission == Admission::TooMany) counts_.refused.fetch_add(1, std::memory_order_relaxed);
    if (admission == Admission::TooManyFromAddress)
      counts_.refused_from_address.fetch_add(1, std::memory_order_relaxed);
    return admission;
  }

  void leave(const std::string& address, Admission admission) {
    counts_.open.fetch_sub(1, std::memory_order_relaxed);
    const std::string source = source_of(address);
    const std::lock_guard lock(mutex_);
    if (admission != Admission::Accepted) {
      --refused_;
      return;
    }
    --accepted_;
    const auto found = by_source_.find(source);
    if (found != by_source_.end() && --found->second == 0) by_source_.erase(found);
  }

  /// Those that are being refused included.
  [[nodiscard]] std::size_t connections() const { return counts_.open.load(); }

  /// Whose share the memory of a body is: a principal's, or if there is none that of everyone who shares the address.
  [[nodiscard]] static std::string payer(const std::string& address, std::string_view principal) {
    return principal.empty() ? "address " + network_of(address) : "principal " + std::string(principal);
  }
  /// Takes memory for a body; false if all bodies together would be too large, or those of the payer.
  [[nodiscard]] bool take_body_bytes(std::uint64_t bytes, const std::string& payer) {
    const std::lock_guard lock(shares_mutex_);
    std::uint64_t& share = shares_[payer];
    const bool fits = share + bytes <= body_share_max_ && counts_.body_bytes.load() + bytes <= body_bytes_max_;
    if (fits) {
      share += bytes;
      counts_.body_bytes.fetch_add(bytes);
    } else if (share == 0) {
      shares_.erase(payer);
    }
    return fits;
  }
  [[nodiscard]] bool is_half_used() const { return counts_.body_bytes.load() > body_bytes_max_ / 2; }
  /// Takes it in any case, for a body that must not be refused: others have to wait then.
  void force_body_bytes(std::uint64_t bytes, const std::string& payer) {
    const std::lock_guard lock(shares_mutex_);
    shares_[payer] += bytes;
    counts_.body_bytes.fetch_add(bytes);
  }
  void give_body_bytes(std::uint64_t bytes, const std::string& payer) {
    if (bytes == 0) return;
    const std::lock_guard lock(shares_mutex_);
    counts_.body_bytes.fetch_sub(bytes);
    const auto found = shares_.find(payer);
    if ((found->second -= bytes) == 0) shares_.erase(found);
  }

 private:
  /// Who shares an allowance: an IPv4 address, or the /64 network of an IPv6 address, all of which one host may use.
  /// Empty = not counted.
  [[nodiscard]] std::string source_of(const std::string& address) const {
    if (!loopback_counts_ && (address.starts_with("127.") || address == "::1")) return {};
    return network_of(address);
  }
  [[nodiscard]] static std::string network_of(const std::string& address) {
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
  const std::uint64_t body_share_max_;  ///< of one payer
  api::ConnectionCounts& counts_;
  std::mutex mutex_;
  std::size_t accepted_ = 0;
  std::size_t refused_ = 0;
  std::unordered_map<std::string, std::size_t, SourceHash> by_source_;  ///< the accepted ones that are counted
  std::mutex shares_mutex_;
  std::unordered_map<std::string, std::uint64_t, SourceHash> shares_;  ///< bytes of bodies, by payer
};

/// A connection that is counted in, as long as this lives.
class ConnectionSeat {
 public:
  ConnectionSeat(ConnectionBudget& budget, std::string address)
      : budget_(&budget), address_(std::move(address)), admission_(budget.enter(address_)) {}
  ConnectionSeat(ConnectionSeat&& from) noexcept
      : budget_(std::exchange(from.budget_, nullptr)),
        address_(std::move(from.address_)),
        admission_(from.admission_) {}
  ConnectionSeat& operator=(ConnectionSeat&&) = delete;
  ~ConnectionSeat() {
    if (budget_ != nullptr && admission_ != ConnectionBudget::Admission::Dropped) budget_->leave(address_, admission_);
  }

  [[nodiscard]] ConnectionBudget::Admission admission() const { return admission_; }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  ConnectionBudget* budget_;
  std::string address_;
  ConnectionBudget::Admission admission_;
};

}  // namespace stele::net
