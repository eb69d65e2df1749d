#pragma once
// One connection to a receiver, plain or over TLS. Deadlines are whoever's who uses it: close() ends what is being
// waited for.

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "net/http/transport.h"
#include "net/server/task.h"
#include "net/webhook/answer_reader.h"

namespace stele::net {

/// The thread of its context only. One operation at a time.
class WebhookConnection {
 public:
  explicit WebhookConnection(boost::asio::io_context& context) : transport_(Socket(context)) {}

  /// To this very address.
  [[nodiscard]] Task<boost::system::error_code> connect(boost::asio::ip::tcp::endpoint endpoint);
  /// TLS, with a receiver whose certificate holds `host`. False: failure() says why.
  [[nodiscard]] Task<bool> begin_tls(std::shared_ptr<SSL_CTX> context, std::string host);
  /// Sends one request, both parts of which must live until it is done, and reads the answer into `reader`. A receiver
  /// that answers before it has read everything is heard.
  [[nodiscard]] Task<AnswerReader::State> exchange(std::string_view head, std::string_view body, AnswerReader& reader);

  /// Whether it may carry another request: still open, and silent.
  [[nodiscard]] bool is_usable();
  void close();

  /// What broke TLS; empty if nothing did.
  [[nodiscard]] std::string failure() const;

 private:
  /// Whether everything was sent.
  [[nodiscard]] Task<bool> write(std::string_view head, std::string_view body);

  std::shared_ptr<SSL_CTX> tls_;  ///< outlives what transport_ makes of it
  Transport transport_;
  TlsConnection* handshake_ = nullptr;  ///< of transport_
};

}  // namespace stele::net
