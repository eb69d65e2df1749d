#include "net/redis/redis_bus.h"

namespace stele::net {

bool RedisBus::publish(std::string_view channel, std::string_view message) {
  return client_.send(redis_command({"PUBLISH", channel, message}), [counts = counts_](const RedisReply* reply) {
    const bool arrived = reply != nullptr && reply->kind == RedisReply::Kind::Integer;
    (arrived ? counts->published : counts->lost).fetch_add(1, std::memory_order_relaxed);
    if (reply != nullptr) counts->refused = !arrived;
  });
}

api::BusHealth RedisBus::health() const {
  const RedisClientState state = client_.state();
  api::BusHealth health;
  health.connected = state.connected;
  health.since = state.since;
  health.last_error = state.last_error;
  if (state.connected && counts_->refused) health.last_error = "it refuses PUBLISH";
  health.connects = state.connects;
  health.waiting = state.waiting;
  health.published = counts_->published;
  health.lost = counts_->lost;
  return health;
}

}  // namespace stele::net
