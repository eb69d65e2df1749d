#pragma once
// A stream in a Redis: an entry a note, with the fields `origin`, `size` and `note`. Ids are `<size>-<signatures>`, so
// that the stream itself refuses what is not newer.

#include <memory>
#include <string>

#include "api/audit/anchor.h"
#include "api/subscriptions/redis_sender.h"

namespace stele::api {

class RedisStreamAnchor final : public Anchor {
 public:
  /// `sender` must outlive it.
  RedisStreamAnchor(RedisSender& sender, std::string key);
  ~RedisStreamAnchor() override;

  [[nodiscard]] std::string_view kind() const override { return "redis-stream"; }
  /// InvalidArgument: the stream is beyond the note, and does not hold it.
  [[nodiscard]] Status write(const AnchoredNote& note) override;
  void cancel() override;

 private:
  struct Exchange;

  RedisSender& sender_;
  const std::string key_;
  const std::shared_ptr<Exchange> exchange_;  // outlives an answer that nobody waits for any more
};

}  // namespace stele::api
