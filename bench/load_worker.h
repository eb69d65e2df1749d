#pragma once
// One thread of the load generator: an epoll loop over its connections, each with exactly one request in flight.

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/event_pool.h"
#include "bench/histogram.h"
#include "bench/response_reader.h"

namespace stele::bench {

struct LoadTarget {
  sockaddr_in address{};
  std::string host;  ///< value of the Host field
  std::string path;
};

/// Steady-clock nanoseconds.
struct LoadSchedule {
  std::uint64_t measure_from = 0;  ///< what completes before is warm-up
  std::uint64_t end = 0;
};

[[nodiscard]] std::uint64_t steady_nanos();

/// What one worker saw between measure_from and end.
struct LoadResult {
  Histogram latency;  ///< of 2xx responses, from before the first byte is sent until the last is received
  std::array<std::uint64_t, 600> by_status{};
  std::uint64_t socket_errors = 0;
  std::uint64_t bytes_sent = 0;
  std::string first_error;  ///< status and body of the first response that was not 2xx, or the first socket error
};

/// Not thread-safe; one for each thread.
class LoadWorker {
 public:
  /// `batch` 0 sends one event object a request, N > 0 an array of N.
  LoadWorker(LoadTarget target, const EventPoolOptions& events, std::size_t connections, std::size_t batch);
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  /// Opens all connections; throws std::system_error if the first attempt of one fails.
  void connect_all();
  /// Runs until schedule.end. A connection that breaks is counted and opened again; when that fails too often the run
  /// ends early.
  void run(const LoadSchedule& schedule);

  [[nodiscard]] const LoadResult& result() const { return *result_; }
  [[nodiscard]] double event_bytes_mean() const { return pool_.event_bytes_mean(); }

 private:
  struct Connection {
    int socket = -1;
    std::vector<char> request;
    std::size_t sent = 0;
    std::size_t end = 0;
    std::uint64_t started = 0;
    ResponseReader reader;
  };

  void open(Connection& connection);
  void close(Connection& connection);
  void begin_request(Connection& connection, std::uint64_t now);
  void send_rest(Connection& connection);
  void receive(Connection& connection);
  void finish_response(Connection& connection);
  void reopen(Connection& connection, const std::string& why);

  LoadTarget target_;
  std::string header_start_;
  EventPool pool_;
  std::size_t batch_;
  std::vector<Connection> connections_;
  std::vector<char> receive_buffer_;
  std::unique_ptr<LoadResult> result_;
  LoadSchedule schedule_;
  int epoll_ = -1;
  int failures_in_a_row_ = 0;
};

}  // namespace stele::bench
