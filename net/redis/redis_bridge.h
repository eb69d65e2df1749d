#pragma once
// All that a server does with a Redis: the event bus, the cache of states and deliveries, on a connection each, so that
// a large state or a batch does not hold up events, and on one thread.

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "engine/base/ids.h"
#include "net/redis/redis_bus.h"
#include "net/redis/redis_client.h"
#include "net/redis/redis_deliveries.h"
#include "net/redis/redis_state_cache.h"
#include "net/tls/socket.h"

namespace stele::net {

class RedisBridge {
 public:
  /// `secret`: see state_value.h.
  RedisBridge(const RedisUrl& url, const Uuid& store, const Digest& secret, RedisStateCacheOptions cache);
  /// Waits a moment for answers to what was sent.
  ~RedisBridge();
  RedisBridge(const RedisBridge&) = delete;
  RedisBridge& operator=(const RedisBridge&) = delete;

  [[nodiscard]] api::Bus& bus() { return bus_; }
  [[nodiscard]] api::SharedStateCache& states() { return states_; }
  [[nodiscard]] api::RedisSender& deliveries() { return deliveries_; }

 private:
  void run();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<Executor> work_{context_.get_executor()};
  RedisClient bus_client_;
  RedisClient state_client_;
  RedisClient delivery_client_;
  RedisBus bus_;
  RedisStateCache states_;
  RedisDeliveries deliveries_;
  std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace stele::net
