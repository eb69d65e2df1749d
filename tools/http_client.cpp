#include "tools/http_client.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>

namespace stele::tools {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

namespace {

constexpr std::size_t kBodyBytesMax = 64U << 20;

Error transport_error(const char* what, const std::string& authority, const beast::error_code& code) {
  std::string words = code.message();
  if (code == beast::error::timeout) words = "timed out";
  if (code == http::error::end_of_stream || code == http::error::partial_message || code == asio::error::eof ||
      code == asio::ssl::error::stream_truncated) {
    words = "the server closed the connection";
  }
  return Error{ErrorKind::Io, fmt::format("{} {}: {}", what, authority, words)};
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return Error{ErrorKind::InvalidArgument, fmt::format("'{}' {}", text, why)};
  };
  const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return refuse("is not a URL; write it like http://127.0.0.1:8080 or https://stele.example.org");
  const auto& url = *parsed;
  if ((url.scheme() != "http" && url.scheme() != "https") || url.encoded_host().empty()) {
    return refuse("is not an http or https URL");
  }
  if (url.has_query() || url.has_fragment() || url.has_userinfo()) return refuse("must be only http://host:port or https://host:port");
  HttpUrl result;
  result.tls = url.scheme() == "https";
  result.host = std::string(url.host_address());
  result.port = url.has_port() ? std::string(url.port()) : result.tls ? "443" : "80";
  result.authority = std::string(url.encoded_host());
  if (url.has_port()) result.authority += ":" + result.port;
  result.prefix = std::string(url.encoded_path());
  while (result.prefix.ends_with('/')) result.prefix.pop_back();
  return result;
}

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

/// Asio's own blocking calls know no deadline, so each step is an asynchronous one that is run to its end.
class HttpClient::Connection {
 public:
  [[nodiscard]] Status connect(const HttpUrl& url, const HttpTls& files, std::chrono::seconds limit) {
    beast::error_code code;
    asio::ip::tcp::resolver resolver(io_);
    const auto endpoints = resolver.resolve(url.host, url.port, code);
    if (code) return transport_error("cannot find", url.authority, code);
    stream_.expires_after(limit);
    stream_.async_connect(endpoints, [&code](beast::error_code e, const asio::ip::tcp::endpoint&) { code = e; });
    run();
    if (code) return transport_error("cannot connect to", url.authority, code);
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), code);
    if (url.tls) return begin_tls(url, files, limit);
    return {};
  }

  /// Starts one operation with start(stream, done) and runs it to its end.
  template <class Start>
  [[nodiscard]] beast::error_code step(std::chrono::seconds limit, Start start) {
    beast::error_code code;
    stream_.expires_after(limit);
    const auto done = [&code](beast::error_code e, std::size_t) { code = e; };
    if (tls_) {
      start(*tls_, done);
    } else {
      start(stream_, done);
    }
    run();
    return code;
  }

  beast::flat_buffer& buffer() { return buffer_; }

 private:
  [[nodiscard]] Status begin_tls(const HttpUrl& url, const HttpTls& files, std::chrono::seconds limit) {
    context_.emplace(asio::ssl::context::tls_client);
    STELE_TRY(load(*context_, files));
    tls_.emplace(stream_, *context_);
    beast::error_code code;
    // A server that has several names learns which one is meant; addresses are no names (RFC 6066, 3).
    asio::ip::make_address(url.host, code);
    if (code) SSL_set_tlsext_host_name(tls_->native_handle(), url.host.c_str());
    tls_->set_verify_callback(asio::ssl::host_name_verification(url.host));
    stream_.expires_after(limit);
    tls_->async_handshake(asio::ssl::stream_base::client, [&code](beast::error_code e) { code = e; });
    run();
    if (!code) return {};
    const long verdict = SSL_get_verify_result(tls_->native_handle());
    if (verdict == X509_V_OK) return transport_error("no TLS with", url.authority, code);
    return Error{ErrorKind::InvalidArgument,
                 fmt::format("the certificate of {} is not trusted: {}; --ca names the authority to believe",
                             url.authority, X509_verify_cert_error_string(verdict))};
  }

  [[nodiscard]] static Status load(asio::ssl::context& context, const HttpTls& files) {
    beast::error_code code;
    const auto refuse = [&](const char* what, const std::string& file) {
      return Error{ErrorKind::InvalidArgument, fmt::format("cannot use {}: {}", what, code.message()), 0, file};
    };
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_verify_mode(asio::ssl::verify_peer, code);
    if (files.ca.empty()) {
      context.set_default_verify_paths(code);
    } else {
      context.load_verify_file(files.ca, code);
    }
    if (code) return refuse("the authority's certificate", files.ca);
    if (files.client_certificate.empty()) return {};
    context.use_certificate_chain_file(files.client_certificate, code);
    if (code) return refuse("the client's certificate", files.client_certificate);
    context.use_private_key_file(files.client_key, asio::ssl::context::pem, code);
    if (code) return refuse("the client's key", files.client_key);
    return {};
  }

  void run() {
    io_.restart();
    io_.run();
  }

  asio::io_context io_{1};
  beast::tcp_stream stream_{io_};
  std::optional<asio::ssl::context> context_;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;  ///< on `stream_`, whose deadline holds for it too
  beast::flat_buffer buffer_;
};

HttpClient::HttpClient(HttpUrl url, HttpTls tls, HttpTimeouts timeouts)
    : url_(std::move(url)), tls_(std::move(tls)), timeouts_(timeouts) {}
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request) { return stream(request, nullptr); }

Result<HttpResponse> HttpClient::stream(const HttpRequest& request, const Sink& sink) {
  if (!connection_) {
    auto fresh = std::make_unique<Connection>();
    STELE_TRY(fresh->connect(url_, tls_, timeouts_.connect));
    connection_ = std::move(fresh);
  }
  // Held here until the exchange has ended well, so that every early return drops the connection.
  auto connection = std::move(connection_);

  http::request<http::span_body<const char>> message;
  message.method_string({request.method.data(), request.method.size()});
  message.target(url_.prefix + request.target);
  message.version(11);
  message.set(http::field::host, url_.authority);
  message.set(http::field::user_agent, "stele-cli");
  if (!token_.empty()) message.set(http::field::authorization, "Bearer " + token_);
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = {request.body.data(), request.body.size()};
  if (request.method != "GET" && request.method != "HEAD") message.content_length(request.body.size());

  http::request_serializer<http::span_body<const char>> serializer(message);
  const auto sent = connection->step(timeouts_.transfer, [&](auto& stream, auto done) {
    http::async_write(stream, serializer, std::move(done));
  });
  // A server that refuses early (413) answers and closes while we still send: its answer is worth more than our broken
  // pipe.
  const bool answer_may_wait = sent == beast::errc::broken_pipe || sent == beast::errc::connection_reset;
  if (sent && !answer_may_wait) return transport_error("lost the connection to", url_.authority, sent);

  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  if (request.method == "HEAD") parser.skip(true);
  auto code = connection->step(timeouts_.transfer, [&](auto& stream, auto done) {
    http::async_read_header(stream, connection->buffer(), parser, std::move(done));
  });
  if (code) return transport_error("lost the connection to", url_.authority, sent ? sent : code);

  HttpResponse response;
  response.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) {
    response.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}),
                                  std::string(field.value()));
  }
  const bool to_sink = sink && response.status / 100 == 2;
  std::array<char, 65536> piece{};
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    parser.get().body().more = true;
    code = connection->step(timeouts_.transfer, [&](auto& stream, auto done) {
      http::async_read(stream, connection->buffer(), parser, std::move(done));
    });
    if (code == http::error::need_buffer) code = {};
    if (code) return transport_error("the answer was cut off by", url_.authority, code);
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (to_sink) {
      if (!sink(got)) return response;
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
