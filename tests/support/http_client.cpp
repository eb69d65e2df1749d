#include "tests/support/http_client.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>

namespace stele::tests {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool contains(const Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& field) { return same_name(field.first, name); });
}
}  // namespace

std::string HttpResponse::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_name(field, name)) return value;
  }
  return {};
}

bool HttpResponse::has_header(std::string_view name) const { return contains(headers, name); }

struct HttpClient::State {
  State(int port_number, std::chrono::milliseconds time_limit) : port(port_number), limit(time_limit), socket(io) {}

  /// Runs one asynchronous operation to its end or the limit; `start` gets the function to call at the end.
  template <class Start>
  error_code run(Start start) {
    error_code result = asio::error::timed_out;
    bool finished = false;
    start([&](error_code ec) {
      finished = true;
      result = ec;
    });
    io.restart();
    io.run_for(limit);
    if (finished) return result;
    close();  // the operation ends with an error, which is not the one to report
    io.restart();
    io.run();
    return asio::error::timed_out;
  }

  /// Calls `use` with what the bytes go through.
  template <class Use>
  void on_stream(Use use) {
    if (tls) {
      use(*tls);
    } else {
      use(socket);
    }
  }

  bool connect() {
    close();
    tls.reset();
    buffer.clear();
    error_code ignored;
    socket.open(tcp::v4(), ignored);
    if (receive_buffer > 0) socket.set_option(asio::socket_base::receive_buffer_size(receive_buffer), ignored);
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    error_code ec = run([&](auto done) { socket.async_connect(endpoint, done); });
    if (!ec && context) {
      tls.emplace(socket, *context);
      ec = run([&](auto done) { tls->async_handshake(asio::ssl::stream_base::client, done); });
    }
    last = ec;
    open = !ec;
    if (!open) close();
    used = std::chrono::steady_clock::now();
    if (open) socket.set_option(tcp::no_delay(true), ignored);
    return open;
  }

  void close() {
    error_code ignored;
    socket.close(ignored);
    open = false;
  }

  /// Whether the server closed while nothing was asked for a while, as it may when it waits no longer. Of one that was
  /// just in use that would be a fault, which the next request shows. Not known with TLS: what lies there may be both.
  [[nodiscard]] bool was_left() {
    if (!open || tls || buffer.size() > 0 || std::chrono::steady_clock::now() - used < kSoonest) return false;
    char byte = 0;
    const auto bytes = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
  }

  error_code write(std::string_view bytes) {
    return last = run([&](auto done) {
             on_stream([&](auto& stream) {
               asio::async_write(stream, asio::buffer(bytes.data(), bytes.size()),
                                 [done](error_code ec, std::size_t) { done(ec); });
             });
           });
  }

  /// Adds what comes next to the buffer; false at the end, which closes.
  bool read_some() {
    if (!open) return false;
    std::size_t bytes = 0;
    const error_code ec = run([&](auto done) {
      on_stream([&](auto& stream) {
        stream.async_read_some(buffer.prepare(64 * 1024), [done, &bytes](error_code e, std::size_t n) {
          bytes = n;
          done(e);
        });
      });
    });
    last = ec;
    buffer.commit(bytes);
    if (ec) close();
    return !ec;
  }

  std::string take(std::size_t size) {
    const std::size_t taken = std::min(size, buffer.size());
    std::string bytes(static_cast<const char*>(buffer.data().data()), taken);
    buffer.consume(taken);
    return bytes;
  }

  static constexpr std::chrono::milliseconds kSoonest{300};  ///< a shorter pause is none

  int port;
  std::chrono::milliseconds limit;
  int receive_buffer = 0;
  asio::io_context io{1};
  tcp::socket socket;
  std::optional<asio::ssl::context> context;
  std::optional<asio::ssl::stream<tcp::socket&>> tls;
  error_code last;
  boost::beast::flat_buffer buffer;
  std::chrono::steady_clock::time_point used{};
  bool open = false;
};

HttpClient::HttpClient(int port, std::chrono::milliseconds limit) : state_(std::make_unique<State>(port, limit)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

HttpResponse HttpClient::get(const std::string& target, const Headers& headers) {
  return request("GET", target, {}, headers);
}

HttpResponse HttpClient::head(const std::string& target, const Headers& headers) {
  return request("HEAD", target, {}, headers);
}

HttpResponse HttpClient::post(const std::string& target, std::string_view body, const std::string& content_type,
                              const Headers& headers) {
  Headers all = headers;
  if (!contains(all, "Content-Type")) all.emplace_back("Content-Type", content_type);
  if (!contains(all, "Content-Length")) all.emplace_back("Content-Length", std::to_string(body.size()));
  return request("POST", target, body, all);
}

HttpResponse HttpClient::request(const std::string& method, const std::string& target, std::string_view body,
                                 const Headers& headers) {
  if (state_->was_left()) state_->close();
  if (!state_->open && !connect()) {
    HttpResponse failure;
    failure.error = "cannot connect";
    return failure;
  }
  std::string message = method + " " + target + " HTTP/1.1\r\n";
  if (!contains(headers, "Host")) message += "Host: 127.0.0.1:" + std::to_string(state_->port) + "\r\n";
  if (!body.empty() && !contains(headers, "Content-Length") && !contains(headers, "Transfer-Encoding")) {
    message += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  for (const auto& [name, value] : headers) message += name + ": " + value + "\r\n";
  message += "\r\n";
  message += body;
  // A server that refuses early may close its side before all is sent: its answer counts, not the broken write.
  (void)state_->write(message);
  return read_response(method == "HEAD");
}

void HttpClient::use_tls(const ClientTls& tls) {
  auto& context = state_->context.emplace(asio::ssl::context::tls_client);
  context.set_verify_mode(asio::ssl::verify_peer);
  context.set_verify_callback(asio::ssl::host_name_verification("localhost"));
  if (!tls.ca.empty()) context.add_certificate_authority(asio::buffer(tls.ca));
  if (!tls.identity.certificate.empty()) {
    context.use_certificate_chain(asio::buffer(tls.identity.certificate));
    context.use_private_key(asio::buffer(tls.identity.key), asio::ssl::context::pem);
  }
  SSL_CTX* const raw = context.native_handle();
  SSL_CTX_set_min_proto_version(raw, tls.version_min);
  SSL_CTX_set_max_proto_version(raw, tls.version_max);
  if (!tls.ciphers.empty()) SSL_CTX_set_cipher_list(raw, tls.ciphers.c_str());
  SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(tls.protocols.data()),
                          static_cast<unsigned>(tls.protocols.size()));
}

std::string HttpClient::tls_version() const { return state_->tls ? SSL_get_version(state_->tls->native_handle()) : ""; }

std::string HttpClient::tls_cipher() const {
  return state_->tls ? SSL_get_cipher_name(state_->tls->native_handle()) : "";
}

std::string HttpClient::tls_protocol() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  if (state_->tls) SSL_get0_alpn_selected(state_->tls->native_handle(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

std::string HttpClient::server_name() const {
  char name[128] = "";
  const X509* const shown = state_->tls ? SSL_get0_peer_certificate(state_->tls->native_handle()) : nullptr;
  if (shown != nullptr) {
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, static_cast<int>(sizeof name));
  }
  return name;
}

bool HttpClient::renegotiate() {
  SSL* const ssl = state_->tls->native_handle();
  if (SSL_renegotiate(ssl) != 1) return false;
  // Asio drives the handshake that is wanted now with the next write.
  if (state_->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")) return false;
  return read_response().status == 200 && SSL_renegotiate_pending(ssl) == 0;
}

std::string HttpClient::error() const { return state_->last.message(); }

bool HttpClient::closed_in_order() {
  (void)read_to_end();
  return state_->tls && state_->last == asio::error::eof;
}

bool HttpClient::connect() { return state_->connect(); }

bool HttpClient::send_raw(std::string_view bytes) {
  if (!state_->open && !connect()) return false;
  return !state_->write(bytes);
}

HttpResponse HttpClient::read_response(bool of_head) {
  HttpResponse response;
  http::response_parser<http::string_body> parser;
  parser.header_limit(1 << 20);
  parser.body_limit((std::numeric_limits<std::uint64_t>::max)());
  parser.skip(of_head);
  const error_code ec = state_->run([&](auto done) {
    state_->on_stream([&](auto& stream) {
      http::async_read(stream, state_->buffer, parser, [done](error_code e, std::size_t) { done(e); });
    });
  });
  state_->last = ec;
  state_->used = std::chrono::steady_clock::now();
  if (parser.is_header_done()) {
    const auto& message = parser.get();
    response.version = static_cast<int>(message.version());
    for (const auto& field : message) {
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    response.body = message.body();
    if (!ec) response.status = static_cast<int>(message.result_int());
  }
  if (ec) {
    response.error = ec.message();
    state_->close();
  } else if (!parser.keep_alive()) {
    if (response.status >= 200) state_->close();
  }
  return response;
}

std::string HttpClient::read_raw(std::size_t size) {
  while (state_->buffer.size() < size && state_->read_some()) {
  }
  return state_->take(size);
}

std::string HttpClient::read_to_end() {
  while (state_->read_some()) {
  }
  return state_->take(state_->buffer.size());
}

bool HttpClient::closed_by_server() {
  if (!state_->open) return true;
  if (state_->buffer.size() > 0) return false;
  char byte = 0;
  const error_code ec = state_->run([&](auto done) {
    state_->on_stream([&](auto& stream) {
      stream.async_read_some(asio::buffer(&byte, 1), [done](error_code e, std::size_t) { done(e); });
    });
  });
  state_->last = ec;
  if (!ec || ec == asio::error::timed_out) return false;
  state_->close();
  return true;
}

void HttpClient::shutdown_send() {
  error_code ignored;
  state_->socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void HttpClient::set_receive_buffer(int bytes) { state_->receive_buffer = bytes; }

void HttpClient::close() { state_->close(); }

}  // namespace stele::tests
