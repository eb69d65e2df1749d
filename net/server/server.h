#pragma once
// The HTTP/1.1 server: sockets in front of an api::Handler. It bounds everything a client can make it hold or wait for
// (header, body, time, connections), answers pipelined requests in order and shuts down in two steps.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "api/http/http.h"
#include "engine/base/result.h"
#include "net/server/server_options.h"

namespace stele::net {

/// Makes the handler once the scheduler it needs exists. It may throw: start() then fails.
using HandlerFactory = std::function<std::unique_ptr<api::Handler>(api::Scheduler&)>;

/// How many threads of the read pool a server has that is started with these options.
[[nodiscard]] std::size_t read_thread_count(const ServerOptions& options);

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
  /// Tells the handler, while there is one. Any thread.
  void note_reload(std::string_view what, bool is_done, std::string_view words);
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
