#pragma once
// PostgreSQL through libpq without blocking: an epoll loop over connections, each with one statement in flight.

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/event_pool.h"
#include "bench/worker.h"

namespace stele::bench {

/// The database holds bench/peers/messages.sql. `batch` 0 calls write_message() for one event a transaction; N > 0
/// copies N events a transaction, with positions counted here because COPY cannot compute them.
class PostgresWorker final : public Worker {
 public:
  PostgresWorker(std::string conninfo, const EventPoolOptions& events, std::size_t connections, std::size_t batch);
  ~PostgresWorker() override;
  PostgresWorker(const PostgresWorker&) = delete;
  PostgresWorker& operator=(const PostgresWorker&) = delete;

  void connect_all() override;
  /// Ends when everything under way is answered, so that no position is left out; early when a connection breaks.
  void run(const LoadSchedule& schedule) override;
  [[nodiscard]] const LoadResult& result() const override { return *result_; }

 private:
  struct Connection {
    PGconn* session = nullptr;
    std::uint64_t started = 0;
    std::size_t request_bytes = 0;
    bool refused = false;
  };

  void begin(Connection& connection, std::uint64_t now);
  void send_insert(Connection& connection);
  void send_copy_data(Connection& connection);
  /// False if the connection is broken.
  bool flush(Connection& connection);
  bool advance(Connection& connection);
  void note_failure(const Connection& connection);

  std::string conninfo_;
  EventPool pool_;
  std::size_t batch_;
  std::vector<Connection> connections_;
  std::string event_;
  std::string rows_;
  std::unordered_map<std::string, std::uint64_t> next_positions_;
  std::unique_ptr<LoadResult> result_;
  LoadSchedule schedule_;
  std::size_t in_flight_ = 0;
  int epoll_ = -1;
};

}  // namespace stele::bench
