#pragma once
// One subscription at work: reads what it is about, decides what is delivered next (DeliveryQueue), keeps that durable
// (DeliveryJournal), has it attempted (DeliverySink, or whoever pulls), and tells the log of itself.
//
// It has turns on DeliveryThreads, one at a time, whenever something has happened: an event came, an answer, steps are
// durable, a time was reached. A turn that must wait for a disk goes on in the slow lane, and what the log is told has
// one of its own. Nothing waits for a disk or a receiver with the mutex held.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/http/http.h"
#include "api/records/event_upcasts.h"
#include "api/subscriptions/circuit_breaker.h"
#include "api/subscriptions/delivery_rate.h"
#include "api/subscriptions/delivery_sink.h"
#include "api/subscriptions/delivery_threads.h"
#include "api/subscriptions/delivery_trace.h"
#include "api/subscriptions/pull_leases.h"
#include "api/subscriptions/subscription_definition.h"
#include "api/subscriptions/subscription_event.h"
#include "api/subscriptions/subscription_room.h"
#include "api/subscriptions/subscription_status.h"
#include "engine/base/clock.h"
#include "engine/base/read_budget.h"
#include "engine/deliveries/delivery_journal.h"
#include "engine/deliveries/delivery_queue.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

/// What all subscriptions of a server share; must outlive them.
struct SubscriptionShared {
  Store& store;
  EventHub& hub;
  DeliveryJournal& journal;
  DeliveryThreads& threads;
  Scheduler& scheduler;
  const Clock& clock;
  const ReadLimits& read_limits;
  const SubscriptionLimits& limits;
  const BreakerTold& breaker_told;  ///< or none
  std::mutex& changing;             ///< SubscriptionRegistry::changing
  const EventNotes* notes{};        ///< or null
  std::shared_ptr<void> lives{};    ///< each subscription has a share of it for as long as it is there
};

/// Thread-safe.
class Subscription final : public std::enable_shared_from_this<Subscription> {
 public:
  struct Start {
    SubscriptionKey key;
    SubscriptionDefinition definition;
    SubscriptionStanding standing;
    DeliveryState state;  ///< the one that the journal has
    Position begun;       ///< where its generation has begun
    std::optional<Timestamp> failing_since{};
    std::shared_ptr<DeliverySink> sink{};  ///< null: it is pulled, or cannot deliver
    bool letters_untold = false;           ///< the log does not know the dead letters of the state
  };
  Subscription(const SubscriptionShared& shared, Start start);
  ~Subscription();
  Subscription(const Subscription&) = delete;

  /// Something may have happened. Any thread, quick.
  void wake() noexcept;
  enum class End { Deleted, Shutdown };
  /// Nothing more is begun, who waits is answered, late answers are ignored.
  void end(End why);

  // Changes that the log has already. They hold at once.
  void change(SubscriptionDefinition definition, std::shared_ptr<DeliverySink> sink);
  void stand(SubscriptionStanding standing);
  /// Begins anew at `end`; what is under way is forgotten.
  void seek(std::uint32_t generation, Position end);

  [[nodiscard]] SubscriptionKey key() const { return key_; }
  [[nodiscard]] SubscriptionDefinition definition() const;
  [[nodiscard]] SubscriptionStanding standing() const;
  /// For the log: everything before it is done or a dead letter that the log knows, and nothing is held back there.
  [[nodiscard]] SubscriptionPlace place() const;
  /// The same, whatever dead letters the log knows.
  [[nodiscard]] Position done_before() const;
  // What it has come to by itself and the log does not know: where it stands; its dead letters, of each event one part.
  [[nodiscard]] std::optional<SubscriptionStanding> untold_standing() const;
  [[nodiscard]] std::vector<SubscriptionEventData> untold_letters() const;
  [[nodiscard]] SubscriptionStatus status() const;
  [[nodiscard]] std::vector<ListedDeadLetter> dead_letters(Position from, std::size_t limit) const;
  [[nodiscard]] std::vector<ListedHeld> held(std::string_view after, std::size_t limit) const;
  [[nodiscard]] std::vector<TracedAttempt> attempts() const;
  [[nodiscard]] SubscriptionRoom::Fate fate_of(const Record& record) const;
  /// See SubscriptionRoom.
  void forget_answers(std::span<const Position> events);
  [[nodiscard]] bool may_concern(std::string_view aggregate_id, const std::optional<std::string>& aggregate_type) const;

  void redrive(const std::vector<Position>& positions, std::uint32_t per_second);
  enum class Dropped { Yes, None, Busy };
  [[nodiscard]] Dropped drop(Position position);

  /// See SubscriptionRoom.
  [[nodiscard]] bool wait_acked(Position position, std::chrono::milliseconds at_most, SubscriptionRoom::Waited waited);
  /// Of a webhook. Does not touch the queue.
  void send_test(SubscriptionRoom::Tested tested);
  void pull(std::size_t limit, std::chrono::milliseconds wait, std::chrono::milliseconds lease,
            std::function<bool()> gone, SubscriptionRoom::Pulled pulled);
  [[nodiscard]] PullLeases::Answer ack(const std::string& lease, const std::optional<std::vector<Uuid>>& events);
  [[nodiscard]] PullLeases::Answer nack(const std::string& lease, const std::optional<std::vector<Uuid>>& events,
                                        std::optional<std::chrono::milliseconds> delay);
  [[nodiscard]] PullLeases::Answer extend(const std::string& lease, std::chrono::milliseconds for_time);

 private:
  /// What cannot be done for want of something is tried again after that.
  static constexpr std::chrono::seconds kTryAgain{1};
  [[nodiscard]] static Timestamp after(Timestamp time, std::chrono::microseconds delay) {
    return {time.micros + delay.count()};
  }

  using Lane = DeliveryLane;
  enum class Next { Rest, Again, Slow, Log };

  struct Waiter {
    std::size_t limit;
    Timestamp deadline;
    std::chrono::milliseconds lease;
    std::function<bool()> gone;
    SubscriptionRoom::Pulled pulled;
  };
  struct AckWaiter {
    Position position;
    Timestamp deadline;
    SubscriptionRoom::Waited waited;
  };
  /// A batch that was taken, and waits until that is durable.
  struct Pending {
    DeliveryQueue::Attempt attempt;
    std::uint64_t ticket = 0;
    std::optional<Waiter> waiter{};
  };
  struct UnderWay {
    std::uint64_t epoch = 0;
    DeliveryQueue::Attempt attempt;
    std::string batch_id;
    Timestamp began;
    bool answer_unwanted = false;  ///< it may repeat what was redacted meanwhile
  };
  struct Ready {
    std::uint64_t id = 0;  ///< of what is under way
    std::uint64_t epoch = 0;
    DeliveryQueue::Attempt attempt;
    std::string batch_id;
    std::optional<Waiter> waiter{};
    std::shared_ptr<DeliverySink> sink{};
    std::optional<Position> replay_until{};
    SchemaVersionChoice version{};  ///< that events are shown in
  };
  /// Answers by the id of the attempt. Each has its memory since the attempt began.
  using Mail = std::list<std::pair<std::uint64_t, AttemptOutcome>>;
  using Calls = std::vector<std::function<void()>>;  ///< to whoever waits; made without the mutex

  void post(Lane lane) noexcept;
  void run(Lane lane) noexcept;
  [[nodiscard]] Next turn(Lane lane);
  // Parts of a turn.
  void take_mail();                                      // with the mutex
  void apply(std::uint64_t id, AttemptOutcome outcome);  // with the mutex
  void settle_restart();                                 // with the mutex
  [[nodiscard]] Next read(Lane lane);
  void note_unreadable_log();  // with the mutex
  [[nodiscard]] Next look(Lane lane);
  [[nodiscard]] Next take(Calls& calls);
  [[nodiscard]] Next send(Lane lane);
  /// Whether there is something to tell, and it is time.
  [[nodiscard]] bool has_news_for_log(Timestamp now) const;  // with the mutex
  void tell_log();
  void expire_leases(Timestamp now);                // with the mutex
  void take_attempts(Timestamp now, Calls& calls);  // with the mutex
  void keep_steps(Timestamp now, bool any_new);     // with the mutex
  void stand_as_queue(Timestamp now);               // with the mutex
  void tell_breaker(Timestamp now, Calls& calls);   // with the mutex
  void collect_acked(Timestamp now, Calls& calls);  // with the mutex
  void schedule(Timestamp now);                     // with the mutex
  void ring(Timestamp due) noexcept;
  void restart(DeliveryState state);  // with the mutex

  [[nodiscard]] bool runs() const;                                         // with the mutex
  [[nodiscard]] bool delivers() const { return runs() && !restart_due_; }  // with the mutex
  [[nodiscard]] bool may_restart() const;                                  // with the mutex
  /// By all names that event types have now.
  [[nodiscard]] EventQuery query_of_now(const SubscriptionDefinition& definition, std::optional<Position> after) const;
  [[nodiscard]] std::uint64_t alias_changes() const;
  [[nodiscard]] SubscriptionStatus status_locked() const;
  using Letters = std::map<Position, std::optional<DeadLetter>>;
  /// `untold`: the first dead letter, or its end, that the log will not know even so.
  [[nodiscard]] SubscriptionPlace place_locked(Letters::const_iterator untold) const;
  /// From `from` on, as many as one event may tell; gives the next.
  Letters::const_iterator add_letters(Letters::const_iterator from, SubscriptionEventData& to) const;
  /// Of the queue; what they say of dead letters is noted for the log.
  [[nodiscard]] std::vector<DeliveryStep> take_steps(bool checkpoint = false);
  /// False: it was given back, since what runs scripts cannot be had now.
  [[nodiscard]] bool deliver(Ready& ready, const ReadView& view);
  /// Whether a script has to upcast something of what is to be sent next.
  [[nodiscard]] bool needs_worker_to_send();
  /// One for each, or empty; none: what runs scripts cannot be had now.
  [[nodiscard]] std::optional<std::vector<Upcast>> upcast(const std::vector<std::shared_ptr<const Record>>& records,
                                                          SchemaVersionChoice version);
  void give_back(Ready& ready) noexcept;
  void lease(Ready& ready, std::vector<std::shared_ptr<const Record>> records, std::vector<Upcast> upcasts);
  [[nodiscard]] Result<std::vector<std::shared_ptr<const Record>>> read_events(const ReadView& view,
                                                                               std::span<const Position> positions);
  void durable(std::uint64_t ticket, bool good) noexcept;
  void answered(Mail& mail) noexcept;
  [[nodiscard]] Timestamp now() const { return shared_.clock.now(); }

  const std::shared_ptr<void> life_;  // the last to go
  const SubscriptionShared& shared_;
  const SubscriptionKey key_;

  std::mutex turn_mutex_;
  enum class Turn { Resting, Waiting, Running, RunningAgain } turn_ = Turn::Resting;

  std::mutex mail_mutex_;  // taken last
  Mail answers_;
  std::uint64_t durable_ticket_ = 0;
  bool journal_failed_ = false;

  mutable std::mutex mutex_;
  SubscriptionDefinition definition_;
  SubscriptionStanding standing_;
  std::shared_ptr<DeliverySink> sink_;
  Position begun_;
  std::unique_ptr<DeliveryQueue> queue_;
  std::uint64_t epoch_ = 1;  ///< what was begun with another one is of no account any more
  bool ended_ = false;
  bool restart_due_ = false;  ///< with other settings, once nothing is under way or leased
  bool restart_from_journal_ = false;
  bool follower_due_ = false;  ///< the follower is to be made anew
  CircuitBreaker breaker_;
  bool breaker_told_open_ = false;  ///< as it was told last
  std::optional<Timestamp> breaker_told_{};
  DeliveryRate rate_;
  std::deque<Pending> pending_;
  std::map<std::uint64_t, UnderWay> under_way_;
  std::uint64_t last_id_ = 0, last_ticket_ = 0;
  std::uint64_t durable_seen_ = 0;
  std::optional<Timestamp> journal_again_{};  ///< pending steps are to be tried again
  PullLeases leases_;
  std::deque<Waiter> waiters_;
  std::vector<AckWaiter> ack_waiters_;
  std::set<Position> redrives_wanted_;  ///< dead letters that are to be tried once more, and were not yet
  std::deque<Position> redrives_;       ///< those of them that the queue does not know yet
  DeliveryRate redrive_rate_{0};
  DeliveryTrace trace_;
  std::uint64_t delivered_ = 0, failures_ = 0;
  std::optional<SubscriptionStatus::LastError> last_error_;
  std::optional<Timestamp> failing_since_;
  std::optional<Timestamp> last_failure_;
  bool has_failed_too_long_ = false;
  Timestamp read_again_{}, attempt_again_{}, log_again_{}, checkpoint_at_{};
  bool at_head_ = false;
  bool had_no_room_ = false;                         ///< when it was read last
  static constexpr std::size_t kBatchesMax = 1'000;  ///< under way, whatever is asked for
  std::size_t attempts_max_ = kBatchesMax;           ///< the same, as far as the sink takes them
  // What the log is to be told.
  bool standing_untold_ = false;
  Timestamp standing_told_{};
  Letters letters_untold_;  ///< none: it is no dead letter any more
  Timestamp letters_told_{}, place_told_{};
  bool place_untold_ = false;
  std::optional<Timestamp> timer_;

  // Of whoever has the turn.
  std::uint64_t aliases_followed_ = 0;  ///< EventAliases::changes() when the follower was made
  std::unique_ptr<EventFollower> follower_;
};

}  // namespace stele::api
