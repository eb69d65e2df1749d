#include "net/redis/state_value.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <new>

#include "api/json/hex.h"
#include "engine/base/bytes.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::net {

namespace {

constexpr std::uint8_t kForm = 1;

/// HMAC-SHA256. The state goes in as its digest, so that it is not copied.
Digest mac_of(const Digest& secret, const StatePlace& place, std::string_view head, std::string_view state) {
  std::string text("stele/state/v1");
  text += as_bytes(place.store);
  text += as_bytes(place.handler);
  put<std::uint32_t>(text, static_cast<std::uint32_t>(place.aggregate_id.size()));
  text += place.aggregate_id;
  text += head;
  text += as_bytes(sha256({state}));
  Digest mac{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(mac.data()), &size) == nullptr) {
    throw std::bad_alloc();
  }
  return mac;
}

}  // namespace

std::string state_key(const StatePlace& place) {
  return "stele:state:" + to_string(place.store) + ":" + api::hex(as_bytes(sha256({place.aggregate_id}))) + ":" +
         api::hex(as_bytes(place.handler));
}

std::string encode_state_value(const Digest& secret, const StatePlace& place, const api::CachedState& state) {
  const std::string bytes = state.state.encode();
  std::string value;
  put<std::uint8_t>(value, kForm);
  put<std::uint64_t>(value, state.state.sequence.value());
  value += as_bytes(state.fingerprint);
  const Digest mac = mac_of(secret, place, value, bytes);
  return value.append(as_bytes(mac)).append(bytes);
}

std::optional<api::CachedState> decode_state_value(const Digest& secret, const StatePlace& place,
                                                   std::string_view bytes) {
  ByteReader in(bytes);
  if (in.take<std::uint8_t>() != kForm) return std::nullopt;
  const SequenceNumber sequence{in.take<std::uint64_t>()};
  const std::string_view fingerprint = in.take_bytes(sizeof(Digest));
  const std::string_view head = bytes.substr(0, bytes.size() - in.left());
  const std::string_view mac = in.take_bytes(sizeof(Digest));
  if (!in.ok()) return std::nullopt;
  const std::string_view state = in.take_bytes(in.left());
  if (CRYPTO_memcmp(mac.data(), mac_of(secret, place, head, state).data(), sizeof(Digest)) != 0) return std::nullopt;
  auto decoded = api::FoldedState::decode(sequence, state);
  if (!decoded) return std::nullopt;
  api::CachedState cached{*std::move(decoded), {}};
  std::copy(fingerprint.begin(), fingerprint.end(), reinterpret_cast<char*>(cached.fingerprint.data()));
  return cached;
}

}  // namespace stele::net
