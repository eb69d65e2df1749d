#pragma once
// Tokens that were verified a moment ago, so that a client that sends the same one with every request costs one
// signature check instead of one a request.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "api/access/jwt.h"

namespace stele::api {

/// A table of fixed size: each token has one place, where a later one displaces it. Thread-safe.
class JwtCache {
 public:
  JwtCache() : places_(kPlaces) {}

  /// The principal of a token that was put in for the same `keys` and is still good.
  [[nodiscard]] std::shared_ptr<const Principal> find(const Digest& token, const std::shared_ptr<const JwkSet>& keys,
                                                      Timestamp now);
  void put(const Digest& token, std::shared_ptr<const JwkSet> keys, const VerifiedJwt& verified);

  /// How often find() has found something, and how often not.
  [[nodiscard]] std::uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t misses() const { return misses_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kPlaces = 4096;
  static constexpr std::size_t kMutexes = 16;

  struct Place {
    Digest token{};
    std::shared_ptr<const JwkSet> keys;  ///< another set may not trust the token's key any more
    VerifiedJwt verified;
  };
  [[nodiscard]] static std::size_t place_of(const Digest& token);

  std::vector<Place> places_;
  std::array<std::mutex, kMutexes> mutexes_;
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> misses_{0};
};

}  // namespace stele::api
