#include "api/access/failure_limiter.h"

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

}  // namespace

FailureLimiter::FailureLimiter() : seed_(random_seed()) {
  for (auto& place : full_at_) place.store(std::numeric_limits<std::int64_t>::min(), std::memory_order_relaxed);
}

std::optional<std::int64_t> FailureLimiter::failed(std::string_view address, std::int64_t monotonic_micros) {
  auto& place = full_at_[place_of(address)];
  std::int64_t full_at = place.load(std::memory_order_relaxed);
  while (true) {
    const std::int64_t next = std::max(full_at, monotonic_micros) + kMicrosAFailure;
    const std::int64_t wait = next - kBurst * kMicrosAFailure - monotonic_micros;
    if (wait > 0) return (wait + 999'999) / 1'000'000;
    if (place.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return std::nullopt;
  }
}

std::size_t FailureLimiter::place_of(std::string_view address) const {
  const std::string text(address.substr(0, address.find('%')));
  std::array<char, 16> bytes{};
  std::string_view key = text;
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) key = {bytes.data(), 8};
  const std::string_view seed(reinterpret_cast<const char*>(&seed_), sizeof seed_);
  return xxh3(seed, key) % kPlaces;
}

}  // namespace stele::api
