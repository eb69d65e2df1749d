#pragma once
// What ends the rest of a connection from outside: a producer on any thread that has something for the body, or bytes
// (or the end) from the client.

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "api/http/pushed_body.h"
#include "net/server/connection.h"

namespace stele::net {

/// Shared with whoever may ring, who may keep it for longer than the connection lives. On the connection's I/O thread,
/// but for wake().
class Doorbell final : public api::Waker, public std::enable_shared_from_this<Doorbell> {
 public:
  explicit Doorbell(Connection& connection) : connection_(&connection) {}

  /// Any thread. Of many calls before take_ring() one costs a wake-up of the thread.
  void wake() noexcept override;

  /// Whether it has been rung since the last call.
  [[nodiscard]] bool take_ring() { return rung_.exchange(false, std::memory_order_acq_rel); }
  /// Rouses the connection once there is something to read, or the end.
  void watch();
  [[nodiscard]] bool is_watching() const { return watching_; }
  /// Whether that has happened since the last call.
  [[nodiscard]] bool take_readable() { return std::exchange(readable_, false); }
  /// The connection hears nothing of it any more.
  void disconnect();

 private:
  std::mutex mutex_;        ///< of connection_, which only its thread changes
  Connection* connection_;  ///< null = gone
  std::atomic<bool> rung_{false};
  bool watching_ = false;
  bool readable_ = false;
};

}  // namespace stele::net
