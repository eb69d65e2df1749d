#pragma once
// Who may have a connection to which receiver: bounds for each and for all, kept connections, and who waits for a turn.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/webhook/webhook_connection.h"

namespace stele::net {

struct ConnectionBounds {
  std::size_t all_max = 1024;
  std::size_t endpoint_max = 32;               ///< to one receiver: one that hangs must not take them all …
  std::size_t endpoint_parts = 8;              ///< … nor many that do: its share of those in use, see fair_share()
  std::chrono::milliseconds idle_max{30'000};  ///< a kept connection without a request
};

/// One thread.
class ConnectionPool {
 public:
  using Clock = std::chrono::steady_clock;

  /// Somebody who needs a seat, which is the right to one connection to `endpoint`: whatever makes connections to the
  /// same receiver alike.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    /// The seat is there, in `has_seat`; perhaps with a kept connection. Called by give_back() of another, so that it
    /// must not run on at once.
    virtual void seated() = 0;

    std::string endpoint;  ///< not changed from take() on
    bool has_seat = false;
    std::unique_ptr<WebhookConnection> kept;

   private:
    friend class ConnectionPool;
    std::uint64_t ticket_ = 0;  ///< 0 = not in line
  };

  explicit ConnectionPool(const ConnectionBounds& bounds) : bounds_(bounds) {}

  /// Gives a seat at once, or puts the waiter in line.
  void take(Waiter& waiter);
  /// No longer in line, if it was.
  void leave(Waiter& waiter);
  /// The seat is free; `connection` is kept for the next if it can be used, else null.
  void give_back(Waiter& waiter, std::unique_ptr<WebhookConnection> connection);

  /// Closes kept connections whose time has come.
  void sweep(Clock::time_point now);
  /// Closes all kept connections.
  void close_kept();

  [[nodiscard]] std::size_t connections() const { return all_; }

 private:
  struct Kept {
    std::unique_ptr<WebhookConnection> connection;
    Clock::time_point since;
  };
  struct Endpoint {
    std::size_t connections = 0;  ///< in use and kept
    std::vector<Kept> kept;       ///< the one used last is at the end
    std::list<Waiter*> waiting;

    [[nodiscard]] std::size_t in_use() const { return connections - kept.size(); }
  };
  using Endpoints = std::map<std::string, Endpoint>;

  /// Whether one more there can be in use; kept ones do not count, since they give way.
  [[nodiscard]] bool has_room(const Endpoint& endpoint) const;
  void seat(Waiter& waiter, Endpoint& endpoint);
  void drop_oldest_kept();
  void seat_next();
  void forget_if_unused(Endpoints::iterator at);

  const ConnectionBounds bounds_;
  Endpoints endpoints_;
  std::size_t all_ = 0;      ///< connections in use and kept
  std::size_t in_use_ = 0;   ///< those with a seat
  std::size_t waiting_ = 0;  ///< waiters in line
  std::uint64_t tickets_ = 0;
};

}  // namespace stele::net
