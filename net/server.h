#pragma once
// The HTTP/1.1 server: sockets in front of an api::Handler. It bounds everything a client can make it hold or wait for
// (header, body, time, connections), answers pipelined requests in order and shuts down in two steps.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/http.h"
#include "api/traffic_metrics.h"
#include "engine/base/result.h"
#include "net/log.h"
#include "net/server_tls.h"

namespace stele::net {

/// What one client may cost. Times in milliseconds.
struct HttpLimits {
  std::size_t header_bytes_max = 16 * 1024;               ///< request line and fields: 414 or 431
  std::size_t fields_max = 100;                           ///< header fields: 431
  std::size_t body_bytes_max = (16 * 1024 + 64) * 1024;   ///< 413, before reading where the length is announced
  std::uint64_t bodies_bytes_max = 512ULL << 20;          ///< bodies and large answers in memory, over all connections: 503 beyond
  std::size_t connections_max = 10'000;                   ///< 503 and close beyond
  std::size_t connections_per_address_max = 0;            ///< 503 and close beyond; 0 = half of all, no limit on loopback
  std::uint64_t requests_per_connection_max = 1'000'000;  ///< the last one is answered with Connection: close

  std::int64_t header_ms = 10'000;         ///< from the first byte (or the accept) to the end of the header: 408. As
                                           ///< long again for a TLS handshake before it: closed silently
  std::int64_t idle_ms = 60'000;           ///< between requests of a connection: closed silently
  std::int64_t body_grace_ms = 10'000;     ///< a body may always take this long …
  std::uint64_t body_rate_min = 4 * 1024;  ///< … and longer as long as it arrives at this many bytes a second …
  std::int64_t body_ms = 300'000;          ///< … but never longer than this: 408
  std::int64_t request_ms = 360'000;       ///< from the first byte to the start of the answer: closed
  std::int64_t write_ms = 30'000;          ///< a reader must take each 64 KiB of an answer in this time: closed
  std::int64_t linger_ms = 2'000;          ///< how long what the client still sends is read and dropped before closing
  std::int64_t sweep_ms = 250;             ///< deadlines are looked at this often
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< a numeric address (IPv6 with or without brackets), or a name: all its addresses
  std::uint16_t port = 0;          ///< 0 = any free one, the same on all addresses
  std::size_t io_threads = 0;      ///< 0 = as many as cores
  std::size_t read_threads = 0;    ///< 0 = twice as many as cores, at least four: they wait for disks, and for long reads
  std::size_t read_queue_max = 1024;
  int accept_backlog = 1024;
  HttpLimits limits;
  std::shared_ptr<ServerTls> tls;          ///< null = plain HTTP
  std::int64_t drain_ms = 10'000;          ///< after begin_shutdown(): what is still open then is closed
  std::int64_t handler_grace_ms = 10'000;  ///< after that: how long requests may still be in the handler's hands
  std::shared_ptr<api::TrafficMetrics> traffic;  ///< counts what passes; none = nobody looks at it
  std::string access_log;                  ///< "" = none, "-" = stdout, else a file that is appended to
  LogFormat log_format = LogFormat::Text;  ///< of the access log
};

/// Makes the handler once the scheduler it needs exists. It may throw: start() then fails.
using HandlerFactory = std::function<std::unique_ptr<api::Handler>(api::Scheduler&)>;

class Server {
 public:
  /// Listens and serves on threads of its own. Io or InvalidArgument if it cannot listen there.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, HandlerFactory make_handler);

  /// stop(), wait().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The port it listens on.
  [[nodiscard]] std::uint16_t port() const;
  /// Goes on in a new file of the access log's name, for the old one was moved away. No line is lost or cut in two.
  /// After an error it goes on in the file it has. Any thread.
  [[nodiscard]] Status reopen_access_log();
  /// Connections open at the moment.
  [[nodiscard]] std::size_t connections() const;

  /// Step one; returns at once, any thread, any number of times: tells the handler (so that /readyz says no), accepts
  /// no more, closes idle connections, answers what is under way with Connection: close. Requests count as abandoned
  /// from here on, so that nobody waits for a long search. Whatever is left after `drain_ms` is closed.
  void begin_shutdown();
  /// Step two, at once: closes every connection. What is under way in the handler still ends, its answers go nowhere.
  void stop();
  /// Blocks until every connection is closed and every thread has ended; the handler is destroyed then. One thread.
  void wait();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net
