#pragma once
// Conversations in whole text messages, both ways, over a connection that was upgraded. What stands around a message on
// the wire is net's business.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/http.h"
#include "api/http/problem.h"
#include "engine/base/result.h"

namespace stele::api {

/// Why a conversation ends, as RFC 6455, 7.4 has it.
struct MessageClose {
  std::uint16_t code = 1000;
  std::string_view reason;  ///< static storage, at most 120 bytes
};

/// Takes messages and gives messages. Calls are those of a PushedBody: one at a time, of next() on the read pool if
/// may_block(), of the others on the I/O thread.
class MessageConversation {
 public:
  virtual ~MessageConversation() = default;

  using Occasion = PushedBody::Occasion;
  enum class Step { More, Wait };

  /// Where messages go, in order.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void message(std::string_view text) = 0;
    /// Bytes of the messages of this call so far.
    [[nodiscard]] virtual std::size_t bytes() const = 0;
    /// Nothing follows; the first one counts.
    virtual void close(MessageClose close) = 0;
  };

  /// Once, before the rest.
  virtual void begin(std::shared_ptr<Waker> waker) = 0;
  /// Gives what there is to say, about 64 KiB at once. On ShuttingDown a last message at most; the framing says the
  /// rest. An error cuts the connection.
  [[nodiscard]] virtual Result<Step> next(Occasion occasion, Sink& to) = 0;
  /// A message of the client. Must not block; next() is called afterwards.
  virtual void take(std::string_view text, Sink& to) = 0;

  [[nodiscard]] virtual bool may_block() const = 0;
  /// How long nothing may be said.
  [[nodiscard]] virtual std::chrono::milliseconds quiet_max() const = 0;
};

/// Implemented in net.
class MessageFraming {
 public:
  virtual ~MessageFraming() = default;
  /// Whether a request asks for it.
  [[nodiscard]] virtual bool is_wanted(const Request& request) const = 0;
  /// Why the request cannot be answered with it, or none.
  [[nodiscard]] virtual std::optional<Problem> objection(const Request& request, std::string_view protocol) const = 0;
  /// The answer to a request without objection. Messages of the client have at most `bytes_max` bytes; a longer one
  /// ends the conversation.
  [[nodiscard]] virtual Response answer(const Request& request, std::string_view protocol,
                                        std::unique_ptr<MessageConversation> conversation, std::size_t bytes_max) = 0;
};

}  // namespace stele::api
