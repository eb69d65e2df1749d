#include "net/redis/redis_bridge.h"

#include <chrono>
#include <exception>

#include "net/log/log.h"

namespace stele::net {

namespace {

constexpr std::chrono::milliseconds kLastAnswers{1'000};

RedisClientOptions bus_options() {
  RedisClientOptions options;
  options.purpose = "event bus";
  return options;
}

RedisClientOptions state_options(const RedisStateCacheOptions& cache) {
  RedisClientOptions options;
  options.purpose = "state cache";
  options.answer_time = std::chrono::milliseconds{2'000};
  options.commands_max = 1'024;
  options.reply_bytes_max = cache.value_bytes_max + (1U << 20);
  return options;
}

}  // namespace

RedisBridge::RedisBridge(const RedisUrl& url, const Uuid& store, const Digest& secret, RedisStateCacheOptions cache)
    : bus_client_(context_, url, bus_options()),
      state_client_(context_, url, state_options(cache)),
      delivery_client_(context_, url, RedisDeliveries::client_options()),
      bus_(bus_client_),
      states_(state_client_, store, secret, cache),
      deliveries_(context_, delivery_client_),
      thread_([this] { run(); }) {}

RedisBridge::~RedisBridge() {
  const auto until = std::chrono::steady_clock::now() + kLastAnswers;
  while (bus_client_.state().waiting != 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  context_.stop();
  thread_.join();
}

void RedisBridge::run() {
  while (true) {
    try {
      context_.run();
      return;
    } catch (const std::exception& thrown) {
      // There was no memory for something that was to be waited for.
      log_error("Redis: {}", thrown.what());
      bus_client_.reconnect("there was no memory");
      state_client_.reconnect("there was no memory");
      delivery_client_.reconnect("there was no memory");
    }
  }
}

}  // namespace stele::net
