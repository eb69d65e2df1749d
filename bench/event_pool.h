#pragma once
// Realistic events as JSON, made before the clock runs: per request only ids, the aggregate's number and the time are
// patched in.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stele::bench {

/// A small fast generator (splitmix64), seeded by the operating system.
class Random {
 public:
  Random();
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

struct EventPoolOptions {
  std::uint64_t aggregates = 10'000;
  bool event_ids = true;  ///< every event carries its own version 7 UUID
};

/// Gives events of 300..450 bytes without end. One thread; a pool for each.
class EventPool {
 public:
  explicit EventPool(const EventPoolOptions& options);

  /// The most bytes write_event() writes.
  [[nodiscard]] std::size_t event_bytes_max() const { return event_bytes_max_; }
  /// The mean size of the prepared events.
  [[nodiscard]] double event_bytes_mean() const;

  /// Sets the time that the next events carry (eventId, occurredAt). Cheap within the same second.
  void set_time(std::int64_t unix_micros);
  /// Writes one event to `to` and returns its size.
  std::size_t write_event(char* to);

 private:
  struct Template {
    std::string json;
    std::size_t event_id = 0;  ///< offset of the 36 characters, if options.event_ids
    std::size_t aggregate_digits = 0;
    std::size_t correlation_id = 0;
    std::size_t occurred_at = 0;
    std::uint64_t aggregates = 1;  ///< how many aggregates this type has
  };

  Template make_template(std::size_t kind);
  void write_uuid_v7(char* to);

  EventPoolOptions options_;
  Random random_;
  std::vector<Template> templates_;
  std::size_t event_bytes_max_ = 0;
  std::int64_t unix_second_ = -1;
  std::uint64_t unix_millis_ = 0;
  char occurred_at_[28] = {};
};

}  // namespace stele::bench
