#pragma once
// HTTP/1.1: POST of events, GET of pages.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/event_pool.h"
#include "bench/protocol.h"

namespace stele::bench {

class ResponseReader final : public ReplyReader {
 public:
  Progress feed(std::string_view bytes) override;
  void reset() override;
  [[nodiscard]] int status() const override { return status_; }
  [[nodiscard]] bool keep_alive() const override { return keep_alive_; }
  /// The first bytes of the body of a response that is not 2xx.
  [[nodiscard]] const std::string& error_text() const override { return error_body_; }

 private:
  /// The size of the header if `bytes` holds all of it, 0 if more is needed; sets status_, body_left_ and keep_alive_.
  std::size_t parse_header(std::string_view bytes);
  Progress take_body(std::string_view bytes);

  std::string partial_header_;
  std::string error_body_;
  std::uint64_t body_left_ = 0;
  int status_ = 0;
  bool in_body_ = false;
  bool keep_alive_ = true;
  bool broken_ = false;
};

/// POSTs one event object a request, or with `batch` > 0 an array of so many.
class HttpAppend final : public Protocol {
 public:
  /// `fields`: further header fields, each with its line end.
  HttpAppend(const std::string& host, const std::string& path, const std::string& fields,
             const EventPoolOptions& events, std::size_t batch);
  [[nodiscard]] std::size_t request_bytes_max() const override;
  std::string_view write_request(std::size_t connection, std::span<char> room) override;
  [[nodiscard]] std::unique_ptr<ReplyReader> make_reader() const override;
  void set_time(std::int64_t unix_micros) override { pool_.set_time(unix_micros); }

 private:
  std::string header_start_;
  EventPool pool_;
  std::size_t batch_;
};

/// GETs one of `targets` (path and query) a request, in random order.
class HttpGet final : public Protocol {
 public:
  HttpGet(const std::string& host, const std::string& fields, const std::vector<std::string>& targets);
  [[nodiscard]] std::size_t request_bytes_max() const override { return 0; }
  std::string_view write_request(std::size_t connection, std::span<char> room) override;
  [[nodiscard]] std::unique_ptr<ReplyReader> make_reader() const override;

 private:
  std::vector<std::string> requests_;
  Random random_ = Random::unpredictable();
};

}  // namespace stele::bench
