#pragma once
// NATS JetStream by its text protocol: one publish a request, answered by the stream's acknowledgement.

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/event_pool.h"
#include "bench/protocol.h"

namespace stele::bench {

/// Publishes to the subject `events`, which a stream must listen to. As cheap for both sides as a client can be that
/// waits for each acknowledgement; NatsWorker is the client library instead.
class NatsPublish final : public Protocol {
 public:
  explicit NatsPublish(const EventPoolOptions& events);
  [[nodiscard]] std::string greeting(std::size_t connection) override;
  [[nodiscard]] std::size_t request_bytes_max() const override;
  std::string_view write_request(std::size_t connection, std::span<char> room) override;
  [[nodiscard]] std::unique_ptr<ReplyReader> make_reader() const override;
  void set_time(std::int64_t unix_micros) override { pool_.set_time(unix_micros); }

 private:
  EventPool pool_;
  std::string inbox_;  ///< of all connections; each adds its number
  std::string event_;
};

}  // namespace stele::bench
