#pragma once
// An epoll loop over TCP connections, each with exactly one request in flight, of any protocol.

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/protocol.h"
#include "bench/worker.h"

namespace stele::bench {

class SocketWorker final : public Worker {
 public:
  SocketWorker(const sockaddr_in& address, std::unique_ptr<Protocol> protocol, std::size_t connections);
  ~SocketWorker() override;
  SocketWorker(const SocketWorker&) = delete;
  SocketWorker& operator=(const SocketWorker&) = delete;

  void connect_all() override;
  /// A connection that breaks is counted and opened again; when that fails too often the run ends early.
  void run(const LoadSchedule& schedule) override;
  [[nodiscard]] const LoadResult& result() const override { return *result_; }

 private:
  struct Connection {
    std::size_t number = 0;
    int socket = -1;
    std::vector<char> room;
    std::string_view unsent;
    std::size_t request_bytes = 0;
    std::uint64_t started = 0;
    std::unique_ptr<ReplyReader> reader;
  };

  void open(Connection& connection);
  void close(Connection& connection);
  void begin_request(Connection& connection, std::uint64_t now);
  void send_rest(Connection& connection);
  void receive(Connection& connection);
  void finish_reply(Connection& connection);
  void reopen(Connection& connection, const std::string& why);

  sockaddr_in address_;
  std::unique_ptr<Protocol> protocol_;
  std::vector<Connection> connections_;
  std::vector<char> receive_buffer_;
  std::unique_ptr<LoadResult> result_;
  LoadSchedule schedule_;
  int epoll_ = -1;
  int failures_in_a_row_ = 0;
};

}  // namespace stele::bench
