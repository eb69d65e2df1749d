#pragma once
// Events that are delivered to a Redis.
//
// A failure's class is one of `no-connection`, `no-answer`, `out-of-memory`, `loading`, `read-only`, `no-permission`,
// `not-authenticated`, `wrong-type`, `cluster`, `too-large`, `foreign-entries`, `redis-error`.

#include <string>
#include <utility>

#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/redis_sender.h"

namespace stele::api {

/// Entries of a stream, with the fields eventId, eventType, aggregateId and event, which is the JSON. An entry's id is
/// the event's position, so that Redis itself refuses what it has already: one batch at a time, in the order of the
/// log, is in the stream once, however often it is attempted. What is refused is delivered if the stream holds it, or,
/// for readers may take entries away, if all of the batch is refused and the stream ends with it. Else somebody else
/// writes there, and nothing more is wanted.
class RedisStreamSink final : public DeliverySink {
 public:
  /// `sender` must outlive what is under way.
  RedisStreamSink(RedisSender& sender, std::string key) : sender_(sender), key_(std::move(key)) {}
  void attempt(DeliveryBatchToSend batch, Done done) override;

 private:
  RedisSender& sender_;
  const std::string key_;
};

/// A message for each event, the JSON. Delivered is what Redis has taken, whether anybody listens or not.
class RedisChannelSink final : public DeliverySink {
 public:
  /// `sender` must outlive what is under way.
  RedisChannelSink(RedisSender& sender, std::string channel) : sender_(sender), channel_(std::move(channel)) {}
  void attempt(DeliveryBatchToSend batch, Done done) override;

 private:
  RedisSender& sender_;
  const std::string channel_;
};

}  // namespace stele::api
