#pragma once
// WebSocket (RFC 6455) below an api::MessageConversation, without I/O: bytes in, bytes out. libwslay does the framing.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "api/http/pushed_body.h"
#include "api/live/message_framing.h"

namespace stele::net {

/// One connection after its handshake. Text messages are the conversation's; pings are answered here, and binary
/// messages end it with 1003, too long ones with 1009, bytes that are no text with 1007, other faults with 1002.
/// Whoever closes first, the other side's close frame is waited for, but not for long.
class WebSocket final : public api::UpgradedStream {
 public:
  WebSocket(std::unique_ptr<api::MessageConversation> conversation, std::size_t message_bytes_max);
  ~WebSocket() override;
  WebSocket(const WebSocket&) = delete;

  [[nodiscard]] std::string_view protocol() const override { return "websocket"; }
  void begin(std::shared_ptr<api::Waker> waker) override;
  [[nodiscard]] Result<Step> next(Occasion occasion, std::string& to) override;
  [[nodiscard]] bool may_block() const override;
  [[nodiscard]] std::chrono::milliseconds quiet_max() const override;
  [[nodiscard]] Result<std::size_t> take(std::string_view bytes) override;

 private:
  struct Framing;
  const std::unique_ptr<Framing> framing_;
};

/// The handshake (RFC 6455, 4.2). Thread-safe.
class WebSocketFraming final : public api::MessageFraming {
 public:
  [[nodiscard]] bool is_wanted(const api::Request& request) const override;
  [[nodiscard]] std::optional<api::Problem> objection(const api::Request& request,
                                                      std::string_view protocol) const override;
  [[nodiscard]] api::Response answer(const api::Request& request, std::string_view protocol,
                                     std::unique_ptr<api::MessageConversation> conversation,
                                     std::size_t bytes_max) override;
};

/// What `Sec-WebSocket-Accept` says to a key.
[[nodiscard]] std::string web_socket_accept(std::string_view key);

}  // namespace stele::net
