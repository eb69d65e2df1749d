#include "api/subscriptions/webhook_signature.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kKeyBytes = 32, kKeyBytesMin = 24, kKeyBytesMax = 64;

/// HMAC-SHA256 (RFC 2104) of an id, a time and a body, with a dot between them. OpenSSL's HMAC takes twice as long for
/// a body of a few hundred bytes: half of that goes into contexts.
Digest mac_of(std::string_view key, std::string_view id, std::string_view time, std::string_view body) {
  constexpr std::size_t block_bytes = 64;
  static_assert(kKeyBytesMax <= block_bytes);
  std::array<char, block_bytes> block{};
  std::copy(key.begin(), key.end(), block.begin());
  const auto flip = [&](unsigned char pad) {
    for (char& byte : block) byte = static_cast<char>(byte ^ pad);
    return std::string_view(block.data(), block.size());
  };
  const Digest inner = sha256({flip(0x36), id, ".", time, ".", body});
  const Digest mac = sha256({flip(0x36 ^ 0x5c), as_bytes(inner)});
  OPENSSL_cleanse(block.data(), block.size());
  return mac;
}

}  // namespace

WebhookSecret WebhookSecret::make() {
  std::string key(kKeyBytes, '\0');
  random_bytes(key.data(), key.size());
  return WebhookSecret(std::move(key));
}

std::optional<WebhookSecret> WebhookSecret::parse(std::string_view text) {
  if (!text.starts_with(kSecretPrefix)) return std::nullopt;
  auto key = base64_decode(text.substr(kSecretPrefix.size()));
  if (!key || key->size() < kKeyBytesMin || key->size() > kKeyBytesMax) return std::nullopt;
  return WebhookSecret(*std::move(key));
}

WebhookSecret::~WebhookSecret() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string WebhookSecret::text() const { return std::string(kSecretPrefix) + base64_encode(key_); }

std::string WebhookSecret::sign(std::string_view id, std::int64_t timestamp_seconds, std::string_view body) const {
  STELE_CHECK(id.find('.') == std::string_view::npos);
  return "v1," + base64_encode(as_bytes(mac_of(key_, id, std::to_string(timestamp_seconds), body)));
}

std::vector<std::pair<std::string, std::string>> webhook_headers(std::span<const WebhookSecret> secrets,
                                                                 std::string_view id, std::int64_t timestamp_seconds,
                                                                 std::string_view body) {
  std::string signatures;
  for (const WebhookSecret& secret : secrets) {
    if (!signatures.empty()) signatures += ' ';
    signatures += secret.sign(id, timestamp_seconds, body);
  }
  std::vector<std::pair<std::string, std::string>> headers;
  headers.reserve(3);
  headers.emplace_back("webhook-id", id);
  headers.emplace_back("webhook-timestamp", std::to_string(timestamp_seconds));
  headers.emplace_back("webhook-signature", std::move(signatures));
  return headers;
}

}  // namespace stele::api
