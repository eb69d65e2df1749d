#pragma once
// Realistic events as JSON, made before the clock runs: per request only ids, the aggregate's number, the user and the
// time are patched in.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stele::bench {

/// A small fast generator (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  /// Seeded by the operating system.
  static Random unpredictable();
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  /// At least 0, less than 1.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

struct EventPoolOptions {
  std::uint64_t aggregates = 10'000;
  std::uint64_t users = 400;
  bool event_ids = true;         ///< every event carries its own version 7 UUID
  bool dates = false;            ///< its data has two dates
  std::uint64_t rare_every = 0;  ///< each rare event type has one event in so many; 0 = there are none
  std::uint64_t seed = 0;        ///< the same seed and times give the same events; 0 = other events each time
};

/// An event as JSON and what peers that are no event store want to know of it. Views of the caller's bytes and the
/// pool's.
struct WrittenEvent {
  std::string_view json;
  std::string_view event_id;  ///< empty without options.event_ids
  std::string_view event_type;
  std::string_view aggregate_id;
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
  /// Writes an event of any aggregate to `to`.
  WrittenEvent write_event(char* to) { return write_event_of(random_.below(options_.aggregates), to); }
  /// The same of one aggregate, numbered from 0.
  WrittenEvent write_event_of(std::uint64_t aggregate, char* to);

  [[nodiscard]] static std::string aggregate_id(std::uint64_t aggregate);
  [[nodiscard]] static std::string user_id(std::uint64_t user);
  [[nodiscard]] static std::vector<std::string> rare_event_types();

 private:
  struct Template {
    std::string json;
    std::string event_type;
    std::size_t event_id = 0;      ///< offset of the 36 characters, if options.event_ids
    std::size_t aggregate_id = 0;  ///< offset of its first character
    std::size_t aggregate_digits = 0;
    std::size_t user_id = 0;
    std::size_t correlation_id = 0;
    std::size_t occurred_at = 0;
  };

  Template make_template(std::size_t kind, std::string event_type);
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
