#include "api/subscriptions/webhook_signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr std::size_t kSecretBytes = 32, kSecretBytesMin = 24, kSecretBytesMax = 64;

struct MacFreed {
  void operator()(EVP_MAC_CTX* mac) const { EVP_MAC_CTX_free(mac); }
};
using Mac = std::unique_ptr<EVP_MAC_CTX, MacFreed>;

/// HMAC-SHA256 without a key. To look its algorithms up takes longer than to sign, so that it is done once and copied.
Mac make_mac() {
  static EVP_MAC_CTX* const model = [] {
    EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* const made = EVP_MAC_CTX_new(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    STELE_CHECK(made != nullptr && EVP_MAC_CTX_set_params(made, parameters) == 1);
    EVP_MAC_free(hmac);
    return made;
  }();
  Mac mac(EVP_MAC_CTX_dup(model));
  if (mac == nullptr) throw std::bad_alloc();
  return mac;
}

}  // namespace

WebhookSecret WebhookSecret::make() {
  std::string key(kSecretBytes, '\0');
  random_bytes(key.data(), key.size());
  return WebhookSecret(std::move(key));
}

std::optional<WebhookSecret> WebhookSecret::parse(std::string_view text) {
  if (!text.starts_with(kSecretPrefix)) return std::nullopt;
  auto key = base64_decode(text.substr(kSecretPrefix.size()));
  if (!key || key->size() < kSecretBytesMin || key->size() > kSecretBytesMax) return std::nullopt;
  return WebhookSecret(*std::move(key));
}

WebhookSecret::~WebhookSecret() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string WebhookSecret::text() const { return std::string(kSecretPrefix) + base64_encode(key_); }

std::string WebhookSecret::sign(std::string_view id, std::int64_t timestamp_seconds, std::string_view body) const {
  STELE_CHECK(id.find('.') == std::string_view::npos);
  const Mac mac = make_mac();
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  const std::string head = std::string(id) + '.' + std::to_string(timestamp_seconds) + '.';
  std::array<unsigned char, EVP_MAX_MD_SIZE> code;
  std::size_t size = 0;
  if (EVP_MAC_init(mac.get(), bytes(key_), key_.size(), nullptr) != 1 ||
      EVP_MAC_update(mac.get(), bytes(head), head.size()) != 1 ||
      EVP_MAC_update(mac.get(), bytes(body), body.size()) != 1 ||
      EVP_MAC_final(mac.get(), code.data(), &size, code.size()) != 1) {
    throw std::bad_alloc();
  }
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
