#include "net/redis/redis_state_cache.h"

#include <condition_variable>
#include <optional>
#include <utility>

#include "net/redis/state_value.h"

namespace stele::net {

namespace {

/// What one who waits for an answer shares with the client, which may have it when nobody waits any more.
struct Answer {
  std::mutex mutex;
  std::condition_variable came;
  bool has_come = false;
  std::optional<RedisReply> reply;
};

}  // namespace

RedisStateCache::RedisStateCache(RedisClient& client, const Uuid& store, const Digest& secret,
                                 RedisStateCacheOptions options)
    : client_(client), store_(store), secret_(secret), options_(options) {}

bool RedisStateCache::is_quiet() const {
  return std::chrono::steady_clock::now().time_since_epoch().count() < quiet_until_.load(std::memory_order_relaxed);
}

std::optional<RedisReply> RedisStateCache::ask(const std::string& command) {
  const auto answer = std::make_shared<Answer>();
  const bool sent = client_.send(command, [answer](const RedisReply* reply) {
    const std::lock_guard lock(answer->mutex);
    if (reply != nullptr) answer->reply = *reply;
    answer->has_come = true;
    answer->came.notify_one();
  });
  if (!sent) return std::nullopt;
  std::unique_lock lock(answer->mutex);
  if (!answer->came.wait_for(lock, options_.wait_max, [&] { return answer->has_come; })) {
    quiet_until_ = (std::chrono::steady_clock::now() + options_.quiet_time).time_since_epoch().count();
    return std::nullopt;
  }
  if (!answer->reply || answer->reply->kind == RedisReply::Kind::Error) return std::nullopt;
  return std::move(answer->reply);
}

std::shared_ptr<const api::CachedState> RedisStateCache::find(std::string_view aggregate_id, const Digest& handler) {
  const auto failed = [this] {
    counts_->errors.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  };
  if (is_quiet()) return failed();
  const StatePlace place{store_, aggregate_id, handler};
  const auto reply = ask(redis_command({"GET", state_key(place)}));
  if (!reply) return failed();
  if (reply->kind == RedisReply::Kind::Nil) {
    counts_->misses.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  auto state = decode_state_value(secret_, place, reply->text);
  if (!state) return failed();
  counts_->hits.fetch_add(1, std::memory_order_relaxed);
  return std::make_shared<const api::CachedState>(*std::move(state));
}

api::Forgotten RedisStateCache::forget(std::string_view aggregate_id, std::span<const Digest> handlers) {
  for (const Digest& handler : handlers) {
    const auto reply = ask(redis_command({"DEL", state_key({store_, aggregate_id, handler})}));
    if (!reply || reply->kind != RedisReply::Kind::Integer) return api::Forgotten::NotYet;
  }
  return api::Forgotten::Yes;
}

bool RedisStateCache::put(std::string_view aggregate_id, const Digest& handler,
                          std::shared_ptr<const api::CachedState> state) {
  if (is_quiet() || state->state.json.size() > options_.value_bytes_max) return true;
  const StatePlace place{store_, aggregate_id, handler};
  const bool sent = client_.send(redis_command({"SET", state_key(place), encode_state_value(secret_, place, *state),
                                                "PX", std::to_string(options_.time_to_live.count())}),
                                 [counts = counts_](const RedisReply* reply) {
                                   if (reply == nullptr || reply->kind == RedisReply::Kind::Error) {
                                     counts->errors.fetch_add(1, std::memory_order_relaxed);
                                   }
                                 });
  if (!sent) counts_->errors.fetch_add(1, std::memory_order_relaxed);
  return true;
}

api::SharedStateCache::Metrics RedisStateCache::metrics() const {
  return {counts_->hits, counts_->misses, counts_->errors};
}

}  // namespace stele::net
