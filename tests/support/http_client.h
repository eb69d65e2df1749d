#pragma once
// A small blocking HTTP/1.1 client for tests: one keep-alive connection to 127.0.0.1, plain or over TLS. No call blocks
// longer than the client's time limit. Not thread-safe; one client a thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/certificates.h"

namespace stele::tests {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// What came back. Transport failures are told here, not thrown, so that a test may expect them: `status` is 0 then.
struct HttpResponse {
  int status = 0;
  int version = 0;  ///< 10 or 11
  Headers headers;
  std::string body;   ///< chunks joined
  std::string error;  ///< why there is no (whole) response; empty if there is one

  /// Value of the first field of that name, in any case; empty if absent.
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] bool has_header(std::string_view name) const;
};

/// How a client speaks TLS. It must see a certificate for localhost.
struct ClientTls {
  std::string ca{};         ///< in PEM: whom it believes
  Identity identity{};      ///< what it shows; may be empty
  int version_min = 0;      ///< TLS1_2_VERSION …; 0 = whatever the library speaks
  int version_max = 0;      ///< the same
  std::string ciphers{};    ///< of TLS 1.2 and before; empty = the library's
  std::string protocols{};  ///< offered with ALPN, each behind its length
};

class HttpClient {
 public:
  /// Connects when it is first needed, and again when the server closed the connection after a whole response or, as
  /// it may, when nothing was asked for a while.
  explicit HttpClient(int port, std::chrono::milliseconds limit = std::chrono::seconds{30});
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;

  [[nodiscard]] HttpResponse get(const std::string& target, const Headers& headers = {});
  [[nodiscard]] HttpResponse head(const std::string& target, const Headers& headers = {});
  [[nodiscard]] HttpResponse post(const std::string& target, std::string_view body,
                                  const std::string& content_type = "application/json", const Headers& headers = {});
  /// Any method. `Host`, and `Content-Length` if there is a body, are added unless `headers` has them.
  [[nodiscard]] HttpResponse request(const std::string& method, const std::string& target, std::string_view body = {},
                                     const Headers& headers = {});

  /// From the next connection on.
  void use_tls(const ClientTls& tls);
  /// Of the connection at hand, empty without TLS: "TLSv1.3", the cipher, the protocol chosen with ALPN.
  [[nodiscard]] std::string tls_version() const;
  [[nodiscard]] std::string tls_cipher() const;
  [[nodiscard]] std::string tls_protocol() const;
  /// Whose certificate the server has shown: its common name.
  [[nodiscard]] std::string server_name() const;
  /// Asks for another handshake on the connection at hand; whether the server agrees.
  [[nodiscard]] bool renegotiate();
  /// How the last call that failed did so.
  [[nodiscard]] std::string error() const;

  /// Connects now, TLS included; false if it is refused.
  bool connect();
  /// Sends bytes as they are; false if the connection breaks.
  bool send_raw(std::string_view bytes);
  /// Reads the next response; `of_head`: it answers a HEAD, so no body follows.
  [[nodiscard]] HttpResponse read_response(bool of_head = false);
  /// Reads exactly `size` bytes, or fewer if the connection ends or the limit passes.
  [[nodiscard]] std::string read_raw(std::size_t size);
  /// Reads all that comes until the server closes.
  [[nodiscard]] std::string read_to_end();
  /// Waits for the server to close; false if bytes come or the limit passes instead.
  [[nodiscard]] bool closed_by_server();
  /// Reads all that comes until the server closes; whether it said so in TLS before it did (close_notify).
  [[nodiscard]] bool closed_in_order();
  /// Ends the sending half.
  void shutdown_send();
  /// A small receive buffer, to play a slow reader; call before connect().
  void set_receive_buffer(int bytes);
  void close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace stele::tests
