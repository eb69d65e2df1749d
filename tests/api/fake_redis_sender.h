#pragma once
// A Redis that deliveries go to, and that says what a test has it say.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/subscriptions/redis_sender.h"

namespace stele::api::test {

/// Keeps what it is asked for, and says what it is told to say.
class FakeRedisSender final : public RedisSender {
 public:
  void add(std::string_view key, const std::vector<RedisEntry>& entries,
           std::function<void(RedisAddition)> done) override {
    name = key;
    added = entries;
    done(addition);
  }
  void publish(std::string_view channel, const std::vector<std::string>& messages,
               std::function<void(RedisAnswer)> done) override {
    name = channel;
    published = messages;
    done(addition.answer);
  }

  RedisAddition addition{{RedisAnswer::Outcome::CarriedOut, {}, {}}};
  std::string name;
  std::vector<RedisEntry> added;
  std::vector<std::string> published;
};

}  // namespace stele::api::test
