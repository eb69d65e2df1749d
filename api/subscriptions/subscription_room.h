#pragma once
// All subscriptions of a server, and what they share.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/access/principal.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "api/http/http.h"
#include "api/http/problem.h"
#include "api/records/event_upcasts.h"
#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/delivery_trace.h"
#include "api/subscriptions/subscribe_request.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/subscription_secrets.h"
#include "api/subscriptions/subscription_status.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

class SubscriptionRegistry;

/// Who asks for a change, for the event that says so.
struct SubscriptionChanger {
  Caller caller;
  std::string correlation;
};

/// An event as it is given to whoever pulls.
struct PulledEvent {
  std::shared_ptr<const Record> record;
  std::uint32_t delivery_count = 1;
  bool is_replay = false;
  std::shared_ptr<const Upcast> upcast{};  ///< null: it is shown as it is stored
};
struct PulledBatch {
  std::string lease_id;  ///< empty if there are no events
  std::vector<PulledEvent> events;
  Position checkpoint;  ///< everything before is done
};

[[nodiscard]] Problem no_subscription();

/// Told that the receiver of a subscription counts as out of order (CircuitBreaker), or no more; once a minute at most
/// for each. Any thread; quick.
using BreakerTold = std::function<void(const std::string& subscription_id, bool is_open)>;

/// Thread-safe. What it is made of must outlive it. Changes may block until they are durable: not on an I/O thread.
/// An id that does not exist, or was deleted meanwhile, is answered with `subscription-not-found`.
class SubscriptionRoom : public SubscribeChecks {
 public:
  SubscriptionRoom(Store& store, EventHub& hub, Scheduler& scheduler, const ServiceOptions& options,
                   BreakerTold breaker_told = {});
  ~SubscriptionRoom() override;

  // Changes, durable on return.
  struct Created {
    SubscriptionStatus status;
    std::optional<std::string> secret;  ///< to be shown once; of a webhook
  };
  [[nodiscard]] std::variant<Created, Problem> create(SubscribeRequest request, const SubscriptionChanger& by);
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> change(const std::string& id, ChangeRequest request,
                                                                 const SubscriptionChanger& by);
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> pause(const std::string& id, const SubscriptionChanger& by);
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> resume(const std::string& id, const SubscriptionChanger& by);
  /// 409 unless it is paused. A dry run gives what it would be, and changes nothing.
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> seek(const std::string& id, const SeekRequest& request,
                                                               const SubscriptionChanger& by);
  /// The new secret. The one before goes on signing for a day.
  [[nodiscard]] std::variant<std::string, Problem> rotate_secret(const std::string& id, const SubscriptionChanger& by);
  [[nodiscard]] std::optional<Problem> remove(const std::string& id, const SubscriptionChanger& by);

  // Looks.
  [[nodiscard]] std::optional<SubscriptionStatus> status(std::string_view id) const;
  /// In order of id, those behind `after`.
  [[nodiscard]] std::vector<SubscriptionStatus> list(std::string_view after, std::size_t limit) const;
  /// In order of position, those at or behind `from`. Empty if there is no such subscription.
  [[nodiscard]] std::vector<ListedDeadLetter> dead_letters(std::string_view id, Position from, std::size_t limit) const;
  /// In order of id, those behind `after`.
  [[nodiscard]] std::vector<ListedHeld> held(std::string_view id, std::string_view after, std::size_t limit) const;
  /// Oldest first.
  [[nodiscard]] std::vector<TracedAttempt> attempts(std::string_view id) const;
  struct Fate {
    DeliveryFate fate = DeliveryFate::NotMatching;
    std::vector<TracedAttempt> attempts;  ///< at batches that it was in, as far as they are remembered
  };
  [[nodiscard]] Fate fate_of(std::string_view id, const Record& record) const;

  /// Event types have other names (EventAliases): what is read from now on is selected by these. Quick.
  void aliases_changed();

  /// Forgets what receivers have answered to attempts with any of these events (ascending).
  void forget_answers(std::span<const Position> events);
  /// The ids of those that may have delivered events of this aggregate; those that were deleted are not known.
  [[nodiscard]] std::vector<std::string> concerned_with(std::string_view aggregate_id,
                                                        const std::optional<std::string>& aggregate_type) const;

  // Dead letters.
  struct Redriven {
    std::vector<Position> positions;  ///< that are tried again, or would be, in the order of the log
  };
  /// May read the log; ends early, and does nothing, once `gone` says that nobody waits for it. `per_second`: 0 = as
  /// fast as the subscription goes.
  [[nodiscard]] std::variant<Redriven, Problem> redrive(const std::string& id, const DeadLetterFilter& filter,
                                                        std::uint32_t per_second, bool dry_run,
                                                        const std::function<bool()>& gone);
  /// 404 `dead-letter-not-found`; 409 while it is being tried again.
  [[nodiscard]] std::optional<Problem> drop(const std::string& id, Position position);

  // Those below call back exactly once: inside the call, or later on another thread; quickly.

  using Waited = std::function<void(SubscriptionStatus)>;
  /// Until everything up to `position` is done, or the time is over. False, without a call: there is no such
  /// subscription, or too many wait.
  [[nodiscard]] bool wait_acked(std::string_view id, Position position, std::chrono::milliseconds at_most,
                                Waited waited);

  using Tested = std::function<void(std::variant<AttemptOutcome, Problem>)>;
  /// Sends one event of type `stele.test` the way of all others.
  void send_test(const std::string& id, Tested tested);

  // Pulling. `gone` says whether nobody waits for the answer any more: events are not leased to them then.
  using Pulled = std::function<void(std::variant<PulledBatch, Problem>)>;
  void pull(const std::string& id, std::size_t limit, std::chrono::milliseconds wait, std::chrono::milliseconds lease,
            std::function<bool()> gone, Pulled pulled);
  /// Of all events of the lease, or some. 409 `lease-expired`; 422 for events that the lease does not have.
  [[nodiscard]] std::optional<Problem> ack(const std::string& id, const std::string& lease,
                                           const std::optional<std::vector<Uuid>>& events);
  [[nodiscard]] std::optional<Problem> nack(const std::string& id, const std::string& lease,
                                            const std::optional<std::vector<Uuid>>& events,
                                            std::optional<std::chrono::milliseconds> delay);
  [[nodiscard]] std::optional<Problem> extend(const std::string& id, const std::string& lease,
                                              std::chrono::milliseconds for_time);

  // SubscribeChecks.
  [[nodiscard]] const SubscriptionLimits& limits() const override;
  [[nodiscard]] std::string url_objection(std::string_view url) const override;
  [[nodiscard]] std::string tls_objection(const WebhookTls& tls) const override;
  [[nodiscard]] bool has_redis() const override;
  [[nodiscard]] std::uint32_t newest_version(const std::vector<std::string>& event_types) const override;

  [[nodiscard]] SubjectReport report() const;
  /// Nothing new is attempted; who waits is answered. Idempotent.
  void begin_shutdown();

 private:
  const std::shared_ptr<SubscriptionRegistry> registry_;
};

}  // namespace stele::api
