#pragma once
// The event bus over Redis Pub/Sub: a message is a PUBLISH.

#include <atomic>
#include <cstdint>
#include <memory>

#include "api/bus/bus.h"
#include "net/redis/redis_client.h"

namespace stele::net {

/// `client` must outlive it.
class RedisBus final : public api::Bus {
 public:
  explicit RedisBus(RedisClient& client) : client_(client) {}

  [[nodiscard]] bool connected() const override { return client_.connected(); }
  [[nodiscard]] bool publish(std::string_view channel, std::string_view message) override;
  [[nodiscard]] api::BusHealth health() const override;

 private:
  struct Counts {
    std::atomic<std::uint64_t> published{0};
    std::atomic<std::uint64_t> lost{0};
    std::atomic<bool> refused{false};  ///< the last one
  };
  RedisClient& client_;
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

}  // namespace stele::net
