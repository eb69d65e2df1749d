#pragma once
// What subscriptions have delivered, for the audit trail: once an hour, and at the end of the server, a record for each
// that has done anything since. A thread of its own, that mostly sleeps.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "api/subscriptions/subscription_room.h"
#include "engine/base/clock.h"
#include "engine/base/interval_thread.h"

namespace stele::api {

class DeliveryRecords {
 public:
  /// Takes the id of a subscription and a JSON object. Any thread.
  using Record = std::function<void(const std::string& subscription_id, std::string details)>;

  /// `room` and `clock`, which is looked at each `look_interval`, must outlive it.
  DeliveryRecords(const SubscriptionRoom& room, Record record, const Clock& clock,
                  std::chrono::milliseconds look_interval);
  ~DeliveryRecords();
  DeliveryRecords(const DeliveryRecords&) = delete;

 private:
  struct Counts {
    std::uint64_t delivered = 0;
    std::uint64_t failures = 0;
  };

  void tell() noexcept;
  void tell_each();

  const SubscriptionRoom& room_;
  const Record record_;
  std::map<std::string, Counts, std::less<>> told_;
  IntervalThread thread_;
};

}  // namespace stele::api
