#pragma once
// What connections to receivers believe and show, made once for each set of texts: to read the system's authorities
// takes some ten milliseconds.

#include <openssl/ssl.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/subscriptions/webhook_sender.h"
#include "engine/base/result.h"

namespace stele::net {

/// One thread.
class TlsContexts {
 public:
  static constexpr std::size_t contexts_max = 256;

  /// Tells sets of texts apart, and holds nothing of them.
  [[nodiscard]] static std::string key_of(const std::optional<api::WebhookTls>& tls);
  /// InvalidArgument with words for whoever gave the texts.
  [[nodiscard]] static Result<std::shared_ptr<SSL_CTX>> make(const api::WebhookTls& tls);

  /// The one of these texts, whose key_of() is `key`; without texts, the one with the system's authorities.
  [[nodiscard]] Result<std::shared_ptr<SSL_CTX>> get(const std::string& key, const std::optional<api::WebhookTls>& tls);

 private:
  std::map<std::string, std::shared_ptr<SSL_CTX>> contexts_;
};

}  // namespace stele::net
