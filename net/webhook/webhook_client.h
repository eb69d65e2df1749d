#pragma once
// Sends webhooks: HTTP/1.1 over kept connections, with a guard in front of every address. What api::WebhookSender
// promises.
//
// One thread does all of it, and answers on it; names are looked up on others. A request goes through a line for its
// receiver (which counts against its timeout), the look-up, the guard, the connection and TLS (together at most
// connect_time_max), and the exchange (its timeout). Redirects are answers like others.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/webhook_sender.h"
#include "net/webhook/address_guard.h"
#include "net/webhook/connection_pool.h"
#include "net/webhook/name_resolver.h"
#include "net/webhook/webhooks_under_way.h"

namespace stele::net {

struct WebhookClientOptions {
  AddressGuard guard{};
  ConnectionBounds connections{};
  std::chrono::milliseconds connect_time_max{5'000};
  std::size_t answer_bytes_max = 64U << 10;     ///< of an answer's body are kept
  WebhookBounds bounds{};                       ///< more is answered Busy
  std::shared_ptr<NameResolver> resolver = {};  ///< null = the system's
};

struct WebhookClientMetrics {
  std::uint64_t requests = 0;             ///< under way now, without those that are about to be answered Busy
  std::uint64_t connections = 0;          ///< open now, or being opened, kept ones with them; some moments old
  std::uint64_t connections_started = 0;  ///< since the start
};

class WebhookClient final : public api::WebhookSender {
 public:
  explicit WebhookClient(WebhookClientOptions options);
  /// Stops.
  ~WebhookClient() override;
  WebhookClient(const WebhookClient&) = delete;
  WebhookClient& operator=(const WebhookClient&) = delete;

  /// Throws std::bad_alloc; then `done` is not called.
  void send(api::WebhookRequest request, Done done) override;
  [[nodiscard]] std::string url_objection(std::string_view url) const override;
  [[nodiscard]] std::string tls_objection(const api::WebhookTls& tls) const override;
  void stop() override;

  /// A port that the server listens on, where it is known only after the client was made. Any thread.
  void add_own_port(std::uint16_t port);
  [[nodiscard]] WebhookClientMetrics metrics() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net
