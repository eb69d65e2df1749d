#include "api/access/auth_throttle.h"

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <string>

#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  random_bytes(&seed, sizeof seed);
  return seed;
}

std::int64_t whole_seconds(std::int64_t micros) { return (micros + 999'999) / 1'000'000; }

}  // namespace

AuthThrottle::AuthThrottle() : seed_(random_seed()) {
  for (auto& place : full_at_) place.store(std::numeric_limits<std::int64_t>::min(), std::memory_order_relaxed);
}

std::int64_t AuthThrottle::wait_for(std::int64_t full_at, std::int64_t now, std::int64_t& next) {
  next = std::max(full_at, now) + kMicrosAFailure;
  return next - kBurst * kMicrosAFailure - now;
}

std::optional<std::int64_t> AuthThrottle::must_wait(std::string_view address, std::int64_t monotonic_micros) const {
  std::int64_t next = 0;
  const std::int64_t full_at = full_at_[place_of(address)].load(std::memory_order_relaxed);
  const std::int64_t wait = wait_for(full_at, monotonic_micros, next);
  return wait > 0 ? std::optional(whole_seconds(wait)) : std::nullopt;
}

std::optional<std::int64_t> AuthThrottle::failed(std::string_view address, std::int64_t monotonic_micros) {
  auto& place = full_at_[place_of(address)];
  std::int64_t full_at = place.load(std::memory_order_relaxed);
  while (true) {
    std::int64_t next = 0;
    if (const std::int64_t wait = wait_for(full_at, monotonic_micros, next); wait > 0) return whole_seconds(wait);
    if (place.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return std::nullopt;
  }
}

std::size_t AuthThrottle::place_of(std::string_view address) const {
  const std::string text(address.substr(0, address.find('%')));
  std::array<char, 16> bytes{};
  std::string_view key = text;
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) key = {bytes.data(), 8};
  const std::string_view seed(reinterpret_cast<const char*>(&seed_), sizeof seed_);
  return xxh3(seed, key) % kPlaces;
}

}  // namespace stele::api
