#pragma once
// SIGTERM, SIGINT and SIGHUP as calls on a thread of their own.

#include <functional>
#include <memory>

namespace stele::net {

class Server;

/// Blocks these signals in the calling thread and every thread it starts afterwards, so make it first in main(),
/// and ignores SIGPIPE. Signals are remembered until on_signal() or drain() says what to do.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Calls `on_signal(number)` for each signal, earlier ones included, on the watching thread. An empty function
  /// remembers again; returns only when no call is under way.
  void on_signal(std::function<void(int)> on_signal);
  /// The first SIGTERM or SIGINT begins the shutdown of `server`, the second stops it at once; SIGHUP calls `reload`.
  /// `server` must live until this object is destroyed or on_signal() is called again.
  void drain(Server& server, std::function<void()> reload = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stele::net
