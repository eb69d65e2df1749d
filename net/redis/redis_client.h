#pragma once
// One connection to a Redis, made again whenever it is lost. Commands are sent one after the other without waiting for
// answers; nothing is kept for a Redis that is away, and nothing is sent twice.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/ids.h"
#include "net/redis/redis_reply_reader.h"
#include "net/redis/redis_url.h"

namespace stele::net {

struct RedisClientOptions {
  std::string purpose;                            ///< of the connection, for the log
  std::chrono::milliseconds connect_time{5'000};  ///< to find it, to connect, to be let in
  std::chrono::milliseconds answer_time{5'000};   ///< for each command; beyond it the connection is given up
  std::chrono::milliseconds ping_interval{10'000};
  // Each pause before it connects again is up to twice as long as the one before; what it is exactly is left to chance.
  std::chrono::milliseconds retry_first{200};
  std::chrono::milliseconds retry_last{10'000};
  // Commands without an answer yet; beyond either bound none is taken.
  std::size_t commands_max = 64U << 10;
  std::size_t bytes_max = 16U << 20;
  std::size_t reply_bytes_max = 64U << 10;
  std::size_t list_items_max = 0;  ///< of all lists of a reply together; 0 = no command has a list as its answer
};

struct RedisClientState {
  bool connected = false;
  Timestamp since;         ///< of the last change; at first of the start
  std::string last_error;  ///< why it was away last, in words without secrets; empty if it never was
  std::uint64_t connects = 0;
  std::uint64_t waiting = 0;  ///< commands without an answer yet
};

/// Calls from any thread return at once. Everything else happens on the one thread that runs the context, whose end may
/// wait for the system's resolver of names.
class RedisClient {
 public:
  /// Null: the connection was lost, and nobody knows whether the command was carried out.
  using Done = std::function<void(const RedisReply*)>;

  /// Begins to connect. `context` must be run by one thread, and outlive the client.
  RedisClient(boost::asio::io_context& context, RedisUrl url, RedisClientOptions options);
  /// Commands without an answer are done (null), on this thread. The context must not be running any more.
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// Takes a whole command (see redis_command()) and calls `done` exactly once, on the context's thread; it must return
  /// quickly and not throw. False, and no call, if Redis is away or too much waits.
  [[nodiscard]] bool send(std::string_view command, Done done) { return send(command, 1, std::move(done)); }
  /// The same for `count` commands: they go over one connection, with no other one between them. `done` is called for
  /// each of them in turn; null is the last call.
  [[nodiscard]] bool send(std::string_view commands, std::size_t count, Done done);
  [[nodiscard]] bool connected() const;
  [[nodiscard]] RedisClientState state() const;
  [[nodiscard]] const RedisClientOptions& options() const;
  /// Gives the connection up, and makes another one. On the context's thread only.
  void reconnect(const std::string& why);

 private:
  class Connection;
  struct Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace stele::net
