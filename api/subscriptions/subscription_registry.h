#pragma once
// The subscriptions that there are: read from the log at the start, kept, ended; and what they are made of.

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/endpoint/own_events.h"
#include "api/http/problem.h"
#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/delivery_threads.h"
#include "api/subscriptions/subscribe_request.h"
#include "api/subscriptions/subscription.h"
#include "api/subscriptions/subscription_event.h"
#include "api/subscriptions/subscription_room.h"
#include "api/subscriptions/subscription_secrets.h"
#include "engine/base/result.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe, but for what says that `changing` must be held. What it is made of must outlive it.
class SubscriptionRegistry : public std::enable_shared_from_this<SubscriptionRegistry> {
 public:
  using SubscriptionPtr = std::shared_ptr<Subscription>;

  SubscriptionRegistry(Store& of, EventHub& feeder, Scheduler& timers, const ServiceOptions& settings, BreakerTold told)
      : store(of),
        hub(feeder),
        scheduler(timers),
        options(settings),
        clock(settings.clock != nullptr ? *settings.clock : system_clock()),
        secrets(settings.subscriptions.files != nullptr ? *settings.subscriptions.files : posix_file_system(),
                settings.subscriptions.secrets_folder),
        breaker_told(std::move(told)) {}

  /// Reads them, once, before anything else. Throws if that is not possible.
  void load();
  /// Now, and again each interval until stop().
  void watch_owners();
  /// Nothing more is delivered; who waits is answered; the log is told of states that it does not know yet. Idempotent.
  void stop();
  /// After stop(), once nobody asks for any: waits until none is left. What tells them of answers, of timers and of
  /// what is durable runs on threads of others, and can have one for a moment yet.
  void release();

  [[nodiscard]] SubscriptionPtr find(std::string_view id) const {
    const std::shared_lock lock(mutex);
    const auto found = all.find(id);
    return found == all.end() ? nullptr : found->second;
  }
  /// If a stream of Redis has a subscription already, but for `except` (null: none): entries of the one would look to
  /// the other like its own, and events be missing without a word.
  [[nodiscard]] std::optional<Problem> taken_stream(const SubscriptionDefinition& definition,
                                                    const Subscription* except) const;
  [[nodiscard]] std::vector<SubscriptionPtr> everyone() const {
    std::vector<SubscriptionPtr> list;
    const std::shared_lock lock(mutex);
    for (const auto& [id, subscription] : all) list.push_back(subscription);
    return list;
  }
  /// Opens the journal when there is first need of it. `changing` must be held.
  [[nodiscard]] Status open_journal();
  [[nodiscard]] std::shared_ptr<DeliverySink> sink_of(const SubscriptionDefinition& definition,
                                                      const SubscriptionSecrets& secrets_of);
  [[nodiscard]] Result<SubscriptionSecrets> secrets_of(const SubscriptionDefinition& definition) const;
  /// The log is told why.
  [[nodiscard]] Problem no_secrets(const std::string& id, const Error& why) const;
  /// Where deliveries begin; none = now.
  [[nodiscard]] std::variant<std::optional<Position>, Problem> place_of(const StartAt& from) const;
  void begin(Subscription::Start start);
  /// Has the log know of a change; durable on return. `changing` must be held.
  [[nodiscard]] std::optional<Problem> tell(const Subscription& subscription, std::string_view event_type,
                                            SubscriptionEventData data, const SubscriptionChanger& by,
                                            OwnEventPlace* place = nullptr) const;
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> stand(const std::string& id, SubscriptionState state,
                                                                std::string reason, const SubscriptionChanger& by);
  [[nodiscard]] bool owner_is_there(const SubscriptionDefinition& definition) const;
  /// It was deleted. `changing` must be held.
  void forget(const SubscriptionPtr& subscription);

  Store& store;
  EventHub& hub;
  Scheduler& scheduler;
  const ServiceOptions& options;
  const Clock& clock;
  SubscriptionSecretStore secrets;
  const BreakerTold breaker_told;  ///< or none
  DeliveryThreads threads;
  std::optional<SubscriptionShared> shared;  ///< once there is a journal
  /// Held while the log is told of a change, which then holds, so that the log has them in the order in which they
  /// come.
  std::mutex changing;
  mutable std::shared_mutex mutex;
  std::map<std::string, SubscriptionPtr, std::less<>> all;
  std::size_t unreadable = 0;  ///< of which events cannot be understood

 private:
  void check_owners();

  std::future<void> none_left_;  ///< of `shared`
  std::mutex stopping_mutex_;
  bool stopping_ = false;
};

}  // namespace stele::api
