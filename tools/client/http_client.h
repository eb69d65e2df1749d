#pragma once
// A small blocking HTTP/1.1 client for the command line: one connection, kept alive, plain or over TLS.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "net/tls/client_tls.h"

namespace stele::tools {

/// `http[s]://host[:port][/prefix]`, taken apart.
struct HttpUrl {
  bool tls = false;
  std::string host;        ///< as the resolver wants it: no brackets around IPv6; in lower case
  std::uint16_t port = 0;  ///< 80 or 443 if the URL names none
  std::string authority;   ///< for the Host field
  std::string prefix;      ///< without a slash at its end; empty or begins with one
};
/// InvalidArgument with a message for people.
[[nodiscard]] Result<HttpUrl> parse_http_url(std::string_view text);

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query, percent-encoded, behind the URL's prefix
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string_view body{};
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;

  /// Value of a header field by its lower-case name; empty if absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

using HttpTls = net::ClientTlsFiles;

struct HttpTimeouts {
  std::chrono::seconds connect{10};
  std::chrono::seconds transfer{60};  ///< without any progress, while sending or receiving
};

/// Not thread-safe. Connects when needed; after an error the next request connects anew.
class HttpClient {
 public:
  explicit HttpClient(HttpUrl url, HttpTls tls = {}, HttpTimeouts timeouts = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// The bearer token of all requests from now on; empty: none.
  void authorize(std::string token) { token_ = std::move(token); }

  /// Sends a request and reads its whole answer (at most 64 MiB). Io if the exchange failed anywhere: the server may or
  /// may not have acted. A status of any class is not an error here.
  [[nodiscard]] Result<HttpResponse> send(const HttpRequest& request);

  /// Takes a piece of the body; false ends the exchange early, which is not an error.
  using Sink = std::function<bool(std::string_view piece)>;
  /// The same, but the body of a 2xx answer goes to `sink` as it arrives, of any length.
  [[nodiscard]] Result<HttpResponse> stream(const HttpRequest& request, const Sink& sink);

 private:
  class Connection;
  [[nodiscard]] std::string head_of(const HttpRequest& request) const;
  HttpUrl url_;
  HttpTls tls_;
  HttpTimeouts timeouts_;
  std::string token_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace stele::tools
