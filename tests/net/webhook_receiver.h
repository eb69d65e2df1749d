#pragma once
// A receiver of webhooks that does with each connection what the test says: plain or over TLS, blocking, a thread a
// connection.

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/certificates.h"

namespace stele::tests {

struct ReceiverTls {
  Identity identity;
  std::string client_authority{};  ///< who does not show a certificate of it is refused
};

class WebhookReceiver {
 public:
  /// One connection. Every call fails once the client has left or the test is over.
  class Peer {
   public:
    /// Head and body; empty at the end.
    std::string read_request() {
      for (;;) {
        const std::size_t head = received_.find("\r\n\r\n");
        if (head != std::string::npos) {
          const std::size_t size = head + 4 + length_in(received_.substr(0, head));
          if (received_.size() >= size) {
            const std::string request = received_.substr(0, size);
            received_.erase(0, size);
            ++owner_.requests;
            return request;
          }
        }
        if (!read_some()) return {};
      }
    }
    bool read_some() {
      char piece[65536];
      boost::system::error_code ec;
      const std::size_t bytes =
          tls_ ? tls_->read_some(boost::asio::buffer(piece), ec) : socket().read_some(boost::asio::buffer(piece), ec);
      received_.append(piece, bytes);
      return !ec && bytes > 0;
    }
    bool send(std::string_view bytes) {
      boost::system::error_code ec;
      if (tls_) {
        boost::asio::write(*tls_, boost::asio::buffer(bytes), ec);
      } else {
        boost::asio::write(socket(), boost::asio::buffer(bytes), ec);
      }
      return !ec;
    }
    bool answer(int status, std::string_view fields = {}, std::string_view body = {}) {
      return send("HTTP/1.1 " + std::to_string(status) + " Said\r\n" + std::string(fields) +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
    }
    void wait_for_end() {
      while (read_some()) {
      }
    }
    void reset() {
      boost::system::error_code ec;
      socket().set_option(boost::asio::socket_base::linger(true, 0), ec);
    }
    /// The name that the client asked for.
    [[nodiscard]] std::string server_name() {
      const char* const name = tls_ ? SSL_get_servername(tls_->native_handle(), TLSEXT_NAMETYPE_host_name) : nullptr;
      return name == nullptr ? "" : name;
    }

   private:
    friend class WebhookReceiver;
    using Tcp = boost::asio::ip::tcp;
    Peer(WebhookReceiver& owner, Tcp::socket socket) : owner_(owner), plain_(std::move(socket)) {}
    [[nodiscard]] Tcp::socket& socket() { return plain_; }
    static std::size_t length_in(const std::string& head) {
      const std::size_t at = head.find("Content-Length: ");
      return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    }

    WebhookReceiver& owner_;
    Tcp::socket plain_;
    std::unique_ptr<boost::asio::ssl::stream<Tcp::socket&>> tls_;
    std::string received_;
  };
  using Script = std::function<void(Peer&)>;

  explicit WebhookReceiver(Script script, const std::optional<ReceiverTls>& tls = {}) : script_(std::move(script)) {
    if (tls) {
      context_.emplace(boost::asio::ssl::context::tls_server);
      context_->use_certificate_chain(boost::asio::buffer(tls->identity.certificate));
      context_->use_private_key(boost::asio::buffer(tls->identity.key), boost::asio::ssl::context::pem);
      if (!tls->client_authority.empty()) {
        context_->add_certificate_authority(boost::asio::buffer(tls->client_authority));
        context_->set_verify_mode(boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
      }
    }
    port_ = acceptor_.local_endpoint().port();
    accepting_ = std::thread([this] { accept(); });
  }
  ~WebhookReceiver() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
  }
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1", const std::string& target = "/hook") const {
    return (context_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + target;
  }

  std::atomic<int> connections{0};
  std::atomic<int> requests{0};  ///< read as a whole

 private:
  void accept() {
    for (;;) {
      boost::system::error_code ec;
      boost::asio::ip::tcp::socket socket(io_);
      acceptor_.accept(socket, ec);
      if (ec) return;
      ++connections;
      const std::lock_guard lock(mutex_);
      open_.insert(socket.native_handle());
      threads_.emplace_back([this, moved = std::make_shared<boost::asio::ip::tcp::socket>(std::move(socket))] {
        serve(std::move(*moved));
      });
    }
  }
  void serve(boost::asio::ip::tcp::socket socket) {
    Peer peer(*this, std::move(socket));
    boost::system::error_code ec;
    if (context_) {
      peer.tls_ = std::make_unique<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>>(peer.plain_, *context_);
      peer.tls_->handshake(boost::asio::ssl::stream_base::server, ec);
    }
    if (!ec) script_(peer);
    const std::lock_guard lock(mutex_);
    open_.erase(peer.plain_.native_handle());
    peer.plain_.close(ec);
  }

  Script script_;
  std::optional<boost::asio::ssl::context> context_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

/// Answers each request like that; WebhookReceiver::requests counts them.
inline WebhookReceiver::Script answering(int status, std::string fields = {}, std::string body = {}) {
  return [=](WebhookReceiver::Peer& peer) {
    while (!peer.read_request().empty()) {
      if (!peer.answer(status, fields, body)) return;
    }
  };
}

}  // namespace stele::tests
