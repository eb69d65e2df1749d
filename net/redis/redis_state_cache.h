#pragma once
// Folded states in Redis, which outlive this process for a while. A Redis that is away or does not answer is left alone
// for a while, and costs a replay next to nothing.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "api/replay/state_cache.h"
#include "engine/base/ids.h"
#include "net/redis/redis_client.h"

namespace stele::net {

struct RedisStateCacheOptions {
  std::chrono::milliseconds time_to_live{3'600'000};
  std::chrono::milliseconds wait_max{100};       ///< how long find() waits for an answer
  std::chrono::milliseconds quiet_time{10'000};  ///< how long Redis is not asked after it gave none
  std::size_t value_bytes_max = 4U << 20;        ///< larger states are not kept
};

/// find() waits, for `wait_max` at most; put() never does. `client` must outlive it.
class RedisStateCache final : public api::SharedStateCache {
 public:
  /// `secret`: this store's alone, see state_value.h.
  RedisStateCache(RedisClient& client, const Uuid& store, const Digest& secret, RedisStateCacheOptions options);

  [[nodiscard]] std::shared_ptr<const api::CachedState> find(std::string_view aggregate_id,
                                                             const Digest& handler) override;
  bool put(std::string_view aggregate_id, const Digest& handler,
           std::shared_ptr<const api::CachedState> state) override;
  [[nodiscard]] Metrics metrics() const override;
  [[nodiscard]] api::Forgotten forget(std::string_view aggregate_id, std::span<const Digest> handlers) override;
  [[nodiscard]] std::chrono::milliseconds time_to_live() const override { return options_.time_to_live; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  [[nodiscard]] bool is_quiet() const;
  /// The reply to a command; none if there was none in time.
  [[nodiscard]] std::optional<RedisReply> ask(const std::string& command);

  RedisClient& client_;
  const Uuid store_;
  const Digest secret_;
  const RedisStateCacheOptions options_;
  struct Counts {
    std::atomic<std::uint64_t> hits{0}, misses{0}, errors{0};
  };
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  std::atomic<Time::rep> quiet_until_{0};
};

}  // namespace stele::net
