#pragma once
// What a run of the load generator is told and what it found, as text and as JSON.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/event_pool.h"
#include "bench/worker.h"

namespace stele::bench {

enum class Kind { HttpAppend, HttpGet, Redis, Postgres, Nats, NatsLibrary };

struct LoadOptions {
  Kind kind = Kind::HttpAppend;
  std::string url = "http://127.0.0.1:8080/v1/events";  ///< or what the kind understands instead
  std::string targets_file;                             ///< HttpGet: a path and query a line
  std::string token;                                    ///< of the http kinds: API key or JWT to send; empty: none
  std::size_t connections = 64;
  std::size_t threads = 1;
  double duration_seconds = 10;
  double warmup_seconds = 1;
  std::size_t batch = 0;
  EventPoolOptions events;
  std::optional<int> pid;
  std::string json_file;
};

struct LoadReport {
  double seconds = 0;
  LoadResult total;
  double event_bytes_mean = 0;
  std::int64_t own_cpu = 0;                ///< microseconds
  std::optional<std::int64_t> server_cpu;  ///< microseconds; none if it could not be told

  [[nodiscard]] std::uint64_t replies() const;
  [[nodiscard]] std::uint64_t successes() const;
};

void print_text(const LoadOptions& options, const LoadReport& report);
/// False if the file cannot be written.
[[nodiscard]] bool write_json(const LoadOptions& options, const LoadReport& report);

}  // namespace stele::bench
