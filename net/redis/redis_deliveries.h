#pragma once
// What subscriptions ask of a Redis. Each batch is one transaction (MULTI, EXEC), sent in one piece: Redis carries all
// of it out or nothing, wherever the connection ends and whatever it refuses meanwhile. Without that an event could be
// refused for a moment and the next one taken, which would look like a repeat ever after.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/redis_sender.h"
#include "net/redis/redis_client.h"

namespace stele::net {

class RedisDeliveries final : public api::RedisSender {
 public:
  /// Of a client for it.
  [[nodiscard]] static RedisClientOptions client_options();

  /// `context` is the client's; both must outlive it.
  RedisDeliveries(boost::asio::io_context& context, RedisClient& client);
  /// What has no answer yet is Cancelled, at the latest when the client ends. The context must not be running any more.
  ~RedisDeliveries() override;

  void add(std::string_view key, const std::vector<api::RedisEntry>& entries,
           std::function<void(api::RedisAddition)> done) override;
  void publish(std::string_view channel, const std::vector<std::string>& messages,
               std::function<void(api::RedisAnswer)> done) override;

 private:
  struct Core;
  const std::shared_ptr<Core> core_;
};

}  // namespace stele::net
