#include "api/subscriptions/webhook_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstddef>

#include "api/http/base64.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kKeyBytes = 32, kKeyBytesMin = 24, kKeyBytesMax = 64;

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
  std::string message;
  message.reserve(id.size() + body.size() + 24);
  message.append(id).append(".").append(std::to_string(timestamp_seconds)).append(".").append(body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> code;
  unsigned size = 0;
  STELE_CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                   reinterpret_cast<const unsigned char*>(message.data()), message.size(), code.data(),
                   &size) != nullptr);
  return "v1," + base64_encode({reinterpret_cast<const char*>(code.data()), size});
}

std::vector<std::pair<std::string, std::string>> webhook_headers(std::span<const WebhookSecret> secrets,
                                                                 std::string_view id, std::int64_t timestamp_seconds,
                                                                 std::string_view body) {
  std::string signatures;
  for (const WebhookSecret& secret : secrets) {
    if (!signatures.empty()) signatures += ' ';
    signatures += secret.sign(id, timestamp_seconds, body);
  }
  return {{"webhook-id", std::string(id)},
          {"webhook-timestamp", std::to_string(timestamp_seconds)},
          {"webhook-signature", std::move(signatures)}};
}

}  // namespace stele::api
