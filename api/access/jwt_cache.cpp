#include "api/access/jwt_cache.h"

#include <openssl/crypto.h>

#include <cstring>
#include <utility>

namespace stele::api {

std::shared_ptr<const Principal> JwtCache::find(const Digest& token, const std::shared_ptr<const JwkSet>& keys,
                                                Timestamp now) {
  const std::size_t at = place_of(token);
  const std::lock_guard lock(mutexes_[at % kMutexes]);
  const Place& place = places_[at];
  const bool found = place.keys == keys && place.verified.good_until > now &&
                     CRYPTO_memcmp(place.token.data(), token.data(), token.size()) == 0;
  (found ? hits_ : misses_).fetch_add(1, std::memory_order_relaxed);
  return found ? place.verified.principal : nullptr;
}

void JwtCache::put(const Digest& token, std::shared_ptr<const JwkSet> keys, const VerifiedJwt& verified) {
  const std::size_t at = place_of(token);
  Place fresh{token, std::move(keys), verified};
  const std::lock_guard lock(mutexes_[at % kMutexes]);
  std::swap(places_[at], fresh);
}

std::size_t JwtCache::place_of(const Digest& token) {
  std::size_t first = 0;
  std::memcpy(&first, token.data(), sizeof first);
  return first % kPlaces;
}

}  // namespace stele::api
