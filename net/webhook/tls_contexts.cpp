#include "net/webhook/tls_contexts.h"

#include <cstdint>
#include <string_view>

#include "engine/base/digest.h"
#include "net/tls/client_tls.h"

namespace stele::net {

std::string TlsContexts::key_of(const std::optional<api::WebhookTls>& tls) {
  if (!tls) return {};
  const std::string lengths =
      std::to_string(tls->ca.size()) + " " + std::to_string(tls->client_certificate.size()) + " ";
  return std::string(as_bytes(sha256({lengths, tls->ca, tls->client_certificate, tls->client_key})));
}

Result<std::shared_ptr<SSL_CTX>> TlsContexts::make(const api::WebhookTls& tls) {
  if (tls.client_certificate.empty() != tls.client_key.empty()) {
    return Error{ErrorKind::InvalidArgument, "a client certificate and its key belong together"};
  }
  return make_client_context(ClientTlsTexts{tls.ca, tls.client_certificate, tls.client_key});
}

Result<std::shared_ptr<SSL_CTX>> TlsContexts::get(const std::string& key, const std::optional<api::WebhookTls>& tls) {
  if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
  STELE_ASSIGN(std::shared_ptr<SSL_CTX> made, make(tls.value_or(api::WebhookTls{})));
  // Connections keep theirs.
  if (contexts_.size() >= contexts_max) contexts_.clear();
  contexts_.emplace(key, made);
  return made;
}

}  // namespace stele::net
