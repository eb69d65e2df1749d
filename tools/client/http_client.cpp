#include "tools/client/http_client.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>
#include <cerrno>
#include <limits>

#include "net/http/localhost.h"
#include "net/http/transport.h"
#include "net/tls/client_tls.h"
#include "net/webhook/callback_url.h"

namespace stele::tools {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::size_t kBodyBytesMax = 64U << 20;

Error transport_error(const char* what, const std::string& authority, std::string_view why) {
  return Error{ErrorKind::Io, fmt::format("{} {}: {}", what, authority, why)};
}

Error transport_error(const char* what, const std::string& authority, const error_code& code) {
  std::string words = code.message();
  if (code == asio::error::timed_out) words = "timed out";
  if (code == http::error::end_of_stream || code == http::error::partial_message || code == asio::error::eof) {
    words = "the server closed the connection";
  }
  return transport_error(what, authority, std::string_view(words));
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

void take_head(const http::response_header<>& head, HttpResponse& to) {
  to.status = static_cast<int>(head.result_int());
  for (const auto& field : head) {
    to.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}),
                            std::string(field.value()));
  }
}

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds limit) : at_(Clock::now() + limit) {}
  [[nodiscard]] int left_ms() const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point at_;
};

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return Error{ErrorKind::InvalidArgument, fmt::format("'{}' {}", text, why)};
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refuse("is not a URL; write it like http://127.0.0.1:8080 or https://stele.example.org");
  const auto& url = *parsed;
  const auto scheme = url.scheme_id();
  if ((scheme != boost::urls::scheme::http && scheme != boost::urls::scheme::https) || url.encoded_host().empty()) {
    return refuse("is not an http or https URL");
  }
  if (url.has_query() || url.has_fragment() || url.has_userinfo())
    return refuse("must be only http://host:port or https://host:port");
  HttpUrl result;
  result.tls = scheme == boost::urls::scheme::https;
  const auto authority =
      net::UrlAuthority::read(text.substr(static_cast<std::size_t>(url.encoded_host().data() - text.data())));
  if (!authority) return refuse("must have nothing but a port of 1 to 65535 behind its host");
  const bool is_literal = authority->is_ipv4 || authority->host.starts_with('[');
  result.host =
      lower(is_literal ? std::string(url.host_address())
                       : boost::urls::pct_string_view(authority->host.data(), authority->host.size()).decode());
  result.port = authority->port.value_or(result.tls ? 443 : 80);
  result.authority = lower(authority->host);
  if (authority->port) result.authority += ":" + std::to_string(result.port);
  result.prefix = std::string(authority->path);
  while (result.prefix.ends_with('/')) result.prefix.pop_back();
  return result;
}

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

/// Nothing in it waits longer than it is told to.
class HttpClient::Connection {
 public:
  [[nodiscard]] Status connect(const HttpUrl& url, const HttpTls& files, std::chrono::seconds limit) {
    error_code code;
    const auto endpoints = endpoints_of(url, code);
    if (code) return transport_error("cannot find", url.authority, code);
    const Deadline deadline(limit);
    for (const auto& endpoint : endpoints) {
      code = connect(endpoint, deadline);
      if (!code || code == asio::error::timed_out) break;
    }
    if (code) return transport_error("cannot connect to", url.authority, code);
    if (url.tls) return begin_tls(url, files, deadline);
    return {};
  }

  /// Until all is written; the limit is for each step.
  [[nodiscard]] error_code write(std::string_view head, std::string_view body, std::chrono::seconds limit) {
    net::Transport::Buffers buffers{asio::buffer(head), asio::buffer(body)};
    for (std::size_t left = head.size() + body.size(); left > 0;) {
      error_code code;
      std::size_t bytes = transport_.write_now(buffers, left, code);
      if (net::would_block(code)) code = wait(POLLOUT, Deadline(limit));
      if (code) return code;
      left -= bytes;
      for (asio::const_buffer& buffer : buffers) {
        const std::size_t taken = std::min(bytes, buffer.size());
        buffer += taken;
        bytes -= taken;
      }
    }
    return {};
  }

  /// What has arrived and is not used up.
  [[nodiscard]] asio::const_buffer unused() const { return asio::buffer(bytes_.data() + begin_, end_ - begin_); }
  void use_up(std::size_t bytes) { begin_ += bytes; }
  /// What broke TLS; empty if nothing did.
  [[nodiscard]] std::string_view tls_failure() const { return transport_.tls_failure(); }
  /// Waits for more.
  [[nodiscard]] error_code read(std::chrono::seconds limit) {
    std::copy(bytes_.begin() + begin_, bytes_.begin() + end_, bytes_.begin());
    end_ -= std::exchange(begin_, 0);
    if (end_ == bytes_.size()) return http::error::buffer_overflow;
    const Deadline deadline(limit);
    for (;;) {
      error_code code;
      end_ += transport_.read_now(asio::buffer(bytes_.data() + end_, bytes_.size() - end_), code);
      if (!net::would_block(code)) return code;
      if (const error_code late = wait(POLLIN, deadline)) return late;
    }
  }

 private:
  [[nodiscard]] std::vector<asio::ip::tcp::endpoint> endpoints_of(const HttpUrl& url, error_code& code) {
    std::vector<asio::ip::tcp::endpoint> endpoints;
    if (net::is_localhost(url.host)) {
      for (const auto& address : net::localhost_addresses()) endpoints.emplace_back(address, url.port);
      return endpoints;
    }
    asio::ip::tcp::resolver resolver(io_);
    for (const auto& found : resolver.resolve(url.host, std::to_string(url.port), code)) {
      endpoints.push_back(found.endpoint());
    }
    return endpoints;
  }

  [[nodiscard]] error_code connect(const asio::ip::tcp::endpoint& endpoint, const Deadline& deadline) {
    net::Socket& socket = transport_.socket();
    error_code code;
    if (socket.is_open()) socket.close(code);
    socket.open(endpoint.protocol(), code);
    if (!code) socket.non_blocking(true, code);
    if (!code) socket.connect(endpoint, code);
    if (code == asio::error::in_progress || net::would_block(code)) {
      code = wait(POLLOUT, deadline);
      int outcome = 0;
      socklen_t size = sizeof outcome;
      if (!code && ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &outcome, &size) == 0 && outcome != 0) {
        code = error_code(outcome, boost::system::system_category());
      }
    }
    if (!code) socket.set_option(asio::ip::tcp::no_delay(true), code);
    return code;
  }

  [[nodiscard]] Status begin_tls(const HttpUrl& url, const HttpTls& files, const Deadline& deadline) {
    using Handshake = net::TlsConnection::Progress;
    STELE_ASSIGN(const std::shared_ptr<SSL_CTX> context, net::make_client_context(files));
    net::TlsConnection& tls = transport_.begin_tls(context.get());
    tls.expect_server(url.host);
    for (;;) {
      const Handshake state = tls.handshake();
      if (state == Handshake::Done) return {};
      if (state == Handshake::Failed) {
        if (const std::string why = tls.distrust(); !why.empty()) {
          return Error{ErrorKind::InvalidArgument,
                       fmt::format("the certificate of {} is not trusted: {}; --ca names the authority to believe",
                                   url.authority, why)};
        }
        return transport_error("no TLS with", url.authority, tls.failure());
      }
      const error_code code = wait(state == Handshake::WantsToRead ? POLLIN : POLLOUT, deadline);
      if (code) return transport_error("no TLS with", url.authority, code);
    }
  }

  [[nodiscard]] error_code wait(short what, const Deadline& deadline) {
    ::pollfd socket{transport_.socket().native_handle(), what, 0};
    for (;;) {
      const int ready = ::poll(&socket, 1, deadline.left_ms());
      if (ready > 0) return {};
      if (ready == 0) return asio::error::timed_out;
      if (errno != EINTR) return error_code(errno, boost::system::system_category());
    }
  }

  asio::io_context io_{1};
  net::Transport transport_{net::Socket(io_)};
  std::array<char, 65536> bytes_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

HttpClient::HttpClient(HttpUrl url, HttpTls tls, HttpTimeouts timeouts)
    : url_(std::move(url)), tls_(std::move(tls)), timeouts_(timeouts) {}
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request) { return stream(request, nullptr); }

std::string HttpClient::head_of(const HttpRequest& request) const {
  std::string head = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: stele-cli\r\n", request.method,
                                 url_.prefix, request.target, url_.authority);
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  if (!token_.empty()) add("Authorization", "Bearer " + token_);
  for (const auto& [name, value] : request.headers) add(name, value);
  if (request.method != "GET" && request.method != "HEAD") add("Content-Length", std::to_string(request.body.size()));
  return head + "\r\n";
}

Result<HttpResponse> HttpClient::stream(const HttpRequest& request, const Sink& sink) {
  for (const auto& [name, value] : request.headers) {
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return Error{ErrorKind::InvalidArgument, fmt::format("{} must not hold a line break", name)};
    }
  }
  if (!connection_) {
    auto fresh = std::make_unique<Connection>();
    STELE_TRY(fresh->connect(url_, tls_, timeouts_.connect));
    connection_ = std::move(fresh);
  }
  // Held here until the exchange has ended well, so that every early return drops the connection.
  auto connection = std::move(connection_);

  const error_code sent = connection->write(head_of(request), request.body, timeouts_.transfer);
  // A server that refuses early (413) answers and closes while we still send: its answer is worth more than our broken
  // pipe.
  const bool answer_may_wait = sent == asio::error::broken_pipe || sent == asio::error::connection_reset;
  if (sent && !answer_may_wait) return transport_error("lost the connection to", url_.authority, sent);

  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  parser.eager(true);
  if (request.method == "HEAD") parser.skip(true);
  HttpResponse response;
  std::array<char, 65536> piece;
  while (!parser.is_done()) {
    const bool had_head = parser.is_header_done();
    parser.get().body() = {piece.data(), piece.size(), true};
    error_code code = http::error::need_more;
    if (connection->unused().size() > 0) connection->use_up(parser.put(connection->unused(), code));
    // What has come is given on first: the next piece of a live stream may take its time.
    const bool has_got = parser.get().body().size < piece.size();
    if (code == http::error::need_more && !has_got) {
      code = connection->read(timeouts_.transfer);
      // The end of a connection that was kept for too long comes before any answer.
      if (code == asio::error::eof && parser.got_some()) parser.put_eof(code);
    }
    if (code && code != http::error::need_buffer && code != http::error::need_more) {
      // With TLS 1.3 a server says only now that it does not want this client.
      const std::string_view why = connection->tls_failure();
      if (!why.empty()) return transport_error("lost the connection to", url_.authority, why);
      return had_head ? transport_error("the answer was cut off by", url_.authority, code)
                      : transport_error("lost the connection to", url_.authority, sent ? sent : code);
    }
    if (!had_head && parser.is_header_done()) take_head(parser.get().base(), response);
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (sink && response.status / 100 == 2) {
      if (!got.empty() && !sink(got)) return response;
    } else if (response.body.size() + got.size() > kBodyBytesMax) {
      return Error{ErrorKind::TooLarge, fmt::format("the answer of {} is too large", url_.authority)};
    } else {
      response.body += got;
    }
  }
  if (parser.get().keep_alive() && !sent) connection_ = std::move(connection);
  return response;
}

}  // namespace stele::tools
