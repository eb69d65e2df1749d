#pragma once
// What was given to whoever pulls, and for how long: competing consumers of one subscription. A lease is a batch of the
// DeliveryQueue that is under way.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/base/ids.h"
#include "engine/deliveries/delivery_queue.h"

namespace stele::api {

/// Not thread-safe. The queue is the caller's, and always the same until clear().
class PullLeases {
 public:
  /// Of the events of an attempt, in its order. Gives the id of the lease.
  std::string grant(BatchNumber number, std::vector<std::pair<Uuid, Position>> events, Timestamp until);

  enum class Answer {
    Done,
    Expired,  ///< there is no such lease, not any more, or not for these events
    Unknown,  ///< it never had one of these events
  };
  /// None = all that it has.
  [[nodiscard]] Answer ack(DeliveryQueue& queue, const std::string& lease,
                           const std::optional<std::vector<Uuid>>& events, Timestamp now);
  [[nodiscard]] Answer nack(DeliveryQueue& queue, const std::string& lease,
                            const std::optional<std::vector<Uuid>>& events, const DeliveryFailure& failure,
                            Timestamp now);
  [[nodiscard]] Answer extend(const std::string& lease, Timestamp until);

  /// Those that are over have failed. Gives how many events.
  std::size_t expire(DeliveryQueue& queue, Timestamp now);
  [[nodiscard]] std::optional<Timestamp> next_expiry() const;
  /// All are over, and count for nothing.
  void clear();
  [[nodiscard]] std::size_t events() const { return events_; }
  [[nodiscard]] bool has(BatchNumber number) const;

 private:
  struct Lease {
    BatchNumber number;
    std::vector<std::pair<Uuid, Position>> given;
    std::set<Position> left;
    Timestamp until;
  };
  using Leases = std::map<std::string, Lease>;
  /// The positions that are meant, all of them still leased.
  [[nodiscard]] std::variant<std::vector<Position>, Answer> meant(Leases::iterator lease,
                                                                  const std::optional<std::vector<Uuid>>& events) const;
  [[nodiscard]] Leases::iterator find(const std::string& lease) { return leases_.find(lease); }
  void take_out(Leases::iterator lease, const std::vector<Position>& positions);
  void end(Leases::iterator lease);

  Leases leases_;
  std::set<std::pair<Timestamp, std::string>> by_end_;
  std::size_t events_ = 0;
};

}  // namespace stele::api
