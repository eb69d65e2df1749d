#pragma once
// The seam between a subscription (what is delivered next) and where it goes to: a webhook, a Redis. One noun: an
// attempt to deliver a batch, and how it ended.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/records/event_upcasts.h"
#include "engine/base/ids.h"
#include "engine/deliveries/delivery_queue.h"
#include "engine/log/record.h"

namespace stele::api {

struct EventNotes;

/// An event that is being delivered.
struct Parcel {
  std::shared_ptr<const Record> record;
  bool is_replay = false;                  ///< at or before the subscription's `replayUntil`
  const EventNotes* notes = nullptr;       ///< for showing it
  std::shared_ptr<const Upcast> upcast{};  ///< null: it is shown as it is stored
};

/// Its number of events and its id stay the same over all its attempts.
struct DeliveryBatchToSend {
  std::string id;               ///< names this set of events for ever; letters, digits, `_` and `-`
  std::vector<Parcel> parcels;  ///< ascending by position, not empty
};

struct AttemptOutcome {
  bool delivered = false;
  std::vector<Position> refused{};  ///< if delivered: what the receiver could not take of it
  DeliveryFailure failure{};        ///< if not
  /// Nobody attempted anything (the server ends, or too much is under way): again, and it does not count.
  bool abandoned = false;
  /// The other side as a whole is out of order (no connection, no answer, overload), not this batch: others would fail
  /// like it.
  bool is_outage = false;

  // For the trace of deliveries.
  int status = 0;        ///< of HTTP; 0 = there was no answer
  std::string detail{};  ///< in words for the owner, without secrets
  std::string answer{};  ///< its first KiB, any bytes
  std::chrono::milliseconds duration{0};
};

/// Where a subscription's events go. Thread-safe.
class DeliverySink {
 public:
  using Done = std::function<void(AttemptOutcome)>;
  virtual ~DeliverySink() = default;
  /// `done` is called exactly once, on any thread, never within the call; it is quick. May be called while other
  /// attempts are under way, if the subscription allows for several. After the sink's end `done` may still be called.
  /// Throws std::bad_alloc; then `done` is not called.
  virtual void attempt(DeliveryBatchToSend batch, Done done) = 0;
};

}  // namespace stele::api
