#pragma once
// Redis: XADD of events to one stream, over RESP.

#include <string>
#include <string_view>

#include "bench/event_pool.h"
#include "bench/protocol.h"

namespace stele::bench {

/// Adds each event as the only field of an entry of the stream `events`; a request is a pipeline of `batch` XADDs (0 =
/// one).
class RedisAppend final : public Protocol {
 public:
  RedisAppend(const EventPoolOptions& events, std::size_t batch);
  [[nodiscard]] std::size_t request_bytes_max() const override;
  std::string_view write_request(std::size_t connection, std::span<char> room) override;
  [[nodiscard]] std::unique_ptr<ReplyReader> make_reader() const override;
  void set_time(std::int64_t unix_micros) override { pool_.set_time(unix_micros); }

 private:
  EventPool pool_;
  std::size_t commands_;
  std::string event_;
};

}  // namespace stele::bench
