#include "api/subscriptions/subscription_registry.h"

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "api/access/authenticator.h"
#include "api/http/bounded_read.h"
#include "api/subscriptions/redis_sink.h"
#include "api/subscriptions/subscription_log.h"
#include "api/subscriptions/webhook_sink.h"

namespace stele::api {

namespace {

namespace type = subscription_event;

/// Whether all of it is about a log that ends there.
bool is_of_log(const DeliveryState& state, Position end) {
  const auto is_before = [&](const auto& entry) { return entry.first < end; };
  return state.end <= end && (state.settled.empty() || *state.settled.rbegin() < end) &&
         std::all_of(state.batches.begin(), state.batches.end(),
                     [&](const auto& batch) { return batch.second.positions.back() < end; }) &&
         std::all_of(state.held.begin(), state.held.end(), [&](const auto& held) { return held.second.from <= end; }) &&
         std::all_of(state.dead_letters.begin(), state.dead_letters.end(), is_before);
}

}  // namespace

Status SubscriptionRegistry::open_journal() {
  if (shared) return {};
  STELE_ASSIGN(DeliveryJournal* const journal, store.deliveries());
  const auto none_left = std::make_shared<std::promise<void>>();
  std::shared_ptr<void> lives(nullptr, [none_left](void*) { none_left->set_value(); });
  none_left_ = none_left->get_future();
  shared.emplace(SubscriptionShared{store, hub, *journal, threads, scheduler, clock, options.read_limits,
                                    options.subscriptions.limits, breaker_told, changing, options.notes,
                                    std::move(lives)});
  return {};
}

Result<SubscriptionSecrets> SubscriptionRegistry::secrets_of(const SubscriptionDefinition& definition) const {
  if (definition.kind != DeliveryKind::Webhook) return SubscriptionSecrets();
  STELE_ASSIGN(auto found, secrets.find(definition.id));
  if (found) return *std::move(found);
  return Error{.kind = ErrorKind::NotFound, .message = "the key store has no secrets of a subscription"};
}

Problem SubscriptionRegistry::no_secrets(const std::string& id, const Error& why) const {
  options.subscriptions.report("secrets of the subscription " + id + ": " + why.describe());
  return {"unavailable", "The key store, where secrets are kept, cannot be used now; the server's log says why."};
}

std::shared_ptr<DeliverySink> SubscriptionRegistry::sink_of(const SubscriptionDefinition& definition,
                                                            const SubscriptionSecrets& secrets_of) {
  if (definition.kind == DeliveryKind::Webhook && options.webhooks != nullptr) {
    return std::make_shared<WebhookSink>(*options.webhooks, clock, definition, secrets_of);
  }
  if (definition.kind == DeliveryKind::RedisStream && options.redis != nullptr) {
    return std::make_shared<RedisStreamSink>(*options.redis, definition.redis_name);
  }
  if (definition.kind == DeliveryKind::RedisChannel && options.redis != nullptr) {
    return std::make_shared<RedisChannelSink>(*options.redis, definition.redis_name);
  }
  return nullptr;
}

std::optional<Problem> SubscriptionRegistry::taken_stream(const SubscriptionDefinition& definition,
                                                          const Subscription* except) const {
  if (definition.kind != DeliveryKind::RedisStream) return std::nullopt;
  for (const SubscriptionPtr& other : everyone()) {
    const SubscriptionDefinition of_other = other->definition();
    if (other.get() == except || of_other.kind != definition.kind || of_other.redis_name != definition.redis_name) {
      continue;
    }
    const std::string detail = "Another subscription delivers to this stream; each needs one of its own.";
    return Problem("invalid-request", "/delivery/key: " + detail).error({"pointer", "/delivery/key", detail, {}});
  }
  return std::nullopt;
}

void SubscriptionRegistry::begin(Subscription::Start start) {
  auto subscription = std::make_shared<Subscription>(*shared, std::move(start));
  const std::string id = subscription->definition().id;
  {
    const std::unique_lock lock(mutex);
    all.insert_or_assign(id, subscription);
  }
  subscription->wake();
  // Nobody else would answer who waits there.
  const std::lock_guard lock(stopping_mutex_);
  if (stopping_) subscription->end(Subscription::End::Shutdown);
}

void SubscriptionRegistry::load() {
  const auto fail = [](const Error& error) { throw std::runtime_error("subscriptions: " + error.describe()); };
  const auto view = store.view();
  auto logged = read_logged_subscriptions(*view);
  if (!logged) fail(logged.error());
  unreadable = logged->unreadable;
  if (logged->all.empty()) return;
  if (const Status opened = open_journal(); !opened) fail(opened.error());
  DeliveryJournal& journal = shared->journal;
  auto states = journal.states();
  for (LoggedSubscription& found : logged->all) {
    Subscription::Start start{found.key, std::move(found.definition), std::move(found.standing), {}, found.begun};
    start.failing_since = found.place.failing_since;
    const auto known = states.find(found.key);
    // One that is beyond the log is of a log that has gone on in another way.
    const bool is_known = known != states.end() && known->second.generation >= found.place.generation &&
                          is_of_log(known->second, view->end());
    if (is_known) {
      start.state = std::move(known->second);
    } else {
      // It was lost, or a seek was not journaled any more: at the place that the log has. Batches get numbers of a
      // generation of their own, since those that were used are not known.
      const bool is_lost = known == states.end() || known->second.generation >= found.place.generation;
      std::uint32_t generation = found.place.generation;
      if (is_lost) {
        if (known != states.end()) generation = std::max(generation, known->second.generation);
        journal.forget(found.key);
        ++generation;
      }
      std::vector<DeliveryStep> steps{DeliveryBegun{generation, found.place.end, start.state.last_batch}};
      if (is_lost) {
        auto letters = read_logged_dead_letters(*view, start.definition.id, states);
        if (!letters) fail(letters.error());
        start.letters_untold = true;  // those that the journal alone knew
        for (auto& [position, letter] : *letters) {
          if (start.definition.on_dead_letter == OnDeadLetter::Park) {
            steps.emplace_back(AggregateHeld{letter.aggregate_id, {.from = position.next(), .parked = true}});
          }
          steps.emplace_back(DeadLetterAdded{position, std::move(letter)});
        }
      }
      journal.append(found.key, steps);
      start.state = journal.state(found.key);
      // No other loss shall use this generation again. Where the log takes nothing, nothing can be told.
      SubscriptionEventData data;
      data.place = {generation, found.place.end, found.place.end_time, found.place.failing_since};
      (void)append_subscription_event(store, start.definition, type::kCheckpoint, data, Caller(), {}, clock);
    }
    states.erase(found.key);
    const auto kept = secrets_of(start.definition);
    if (kept) {
      start.sink = sink_of(start.definition, *kept);
    } else {
      (void)no_secrets(start.definition.id, kept.error());
    }
    const bool cannot = start.sink == nullptr && start.definition.kind != DeliveryKind::Pull;
    if (cannot &&
        (start.standing.state == SubscriptionState::Active || start.standing.state == SubscriptionState::Stalled)) {
      start.standing = {
          SubscriptionState::Stopped,
          !kept ? "its secrets in the key store cannot be read" : "this server was started without what it delivers to",
          clock.now()};
    }
    begin(std::move(start));
  }
  // Of those that were deleted while the journal could not be told.
  if (unreadable > 0) return;
  for (const auto& [key, state] : states) journal.forget(key);
}

std::variant<std::optional<Position>, Problem> SubscriptionRegistry::place_of(const StartAt& from) const {
  switch (from.kind) {
    case StartAt::Kind::Now:
      return std::optional<Position>();
    case StartAt::Kind::Beginning:
      return std::optional(Position{0});
    case StartAt::Kind::Behind:
      if (from.position >= store.durable_end()) {
        const std::string detail = "The log has no such position yet.";
        return Problem("invalid-request", "/from: " + detail).error({"pointer", "/from", detail, {}});
      }
      return std::optional(from.position.next());
    case StartAt::Kind::Time:
      break;
  }
  EventQuery query;
  query.from = from.time;
  query.include_system = true;
  const auto view = store.view();
  const auto events = view->query(query);
  if (!events) return read_failed();
  Record record;
  const auto found = (*events)->next(record);
  if (!found) return read_failed();
  return *found ? std::optional(record.header().position) : std::optional<Position>();
}

std::optional<Problem> SubscriptionRegistry::tell(const Subscription& subscription, std::string_view event_type,
                                                  SubscriptionEventData data, const SubscriptionChanger& by,
                                                  OwnEventPlace* place) const {
  // A seek says itself where it leads.
  if (event_type != type::kSought) data.place = subscription.place();
  auto told =
      append_subscription_event(store, subscription.definition(), event_type, data, by.caller, by.correlation, clock);
  if (auto* const problem = std::get_if<Problem>(&told)) return std::move(*problem);
  if (place != nullptr) *place = std::get<OwnEventPlace>(told);
  return std::nullopt;
}

bool SubscriptionRegistry::owner_is_there(const SubscriptionDefinition& definition) const {
  const SubscriptionOwner& owner = definition.owner;
  if (owner.name.empty() || !owner.has_key || !options.authenticator) return true;
  const std::vector<Role> known = options.authenticator->roles_of_keys(owner.name);
  const bool of_store = std::any_of(definition.event_types.begin(), definition.event_types.end(),
                                    [](const std::string& name) { return name.starts_with('$'); });
  return std::any_of(known.begin(), known.end(), [&](Role role) {
    return grants(role, Permission::Subscribe) && (!of_store || grants(role, Permission::Audit));
  });
}

std::variant<SubscriptionStatus, Problem> SubscriptionRegistry::stand(const std::string& id, SubscriptionState state,
                                                                      std::string reason,
                                                                      const SubscriptionChanger& by) {
  const std::lock_guard lock(changing);
  const SubscriptionPtr subscription = find(id);
  if (!subscription) return no_subscription();
  if (subscription->standing().state == state) return subscription->status();
  SubscriptionEventData data;
  data.standing = SubscriptionStanding{state, std::move(reason), {}};
  OwnEventPlace place;
  if (auto problem = tell(*subscription, type::kStateChanged, data, by, &place)) return *std::move(problem);
  data.standing->since = place.time;
  subscription->stand(*std::move(data.standing));
  return subscription->status();
}

void SubscriptionRegistry::forget(const SubscriptionPtr& subscription) {
  const std::string id = subscription->definition().id;
  {
    const std::unique_lock lock(mutex);
    all.erase(id);
  }
  subscription->end(Subscription::End::Deleted);
  shared->journal.forget(subscription->key());
  (void)secrets.remove(id);  // what is left there belongs to nothing
}

void SubscriptionRegistry::watch_owners() {
  {
    const std::lock_guard lock(stopping_mutex_);
    if (stopping_ || !options.authenticator) return;
  }
  threads.post(DeliveryLane::Log, [this] {
    check_owners();
    scheduler.after(options.subscriptions.owners_interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->watch_owners();
    });
  });
}

void SubscriptionRegistry::check_owners() {
  for (const SubscriptionPtr& subscription : everyone()) {
    const SubscriptionState state = subscription->standing().state;
    if (state == SubscriptionState::Suspended || owner_is_there(subscription->definition())) continue;
    const std::string reason = "its owner has no key any more that may have it";
    const auto stood = stand(subscription->definition().id, SubscriptionState::Suspended, reason, {});
    // Whether the log takes it or not.
    if (std::holds_alternative<Problem>(stood)) {
      subscription->stand({SubscriptionState::Suspended, reason, clock.now()});
    }
  }
}

void SubscriptionRegistry::stop() {
  {
    const std::lock_guard lock(stopping_mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  if (options.webhooks != nullptr) options.webhooks->stop();
  for (const SubscriptionPtr& subscription : everyone()) subscription->end(Subscription::End::Shutdown);
  // From here on nothing is asked of the scheduler.
  threads.stop();
  const std::lock_guard lock(changing);
  for (const SubscriptionPtr& subscription : everyone()) {
    if (const auto standing = subscription->untold_standing()) {
      SubscriptionEventData data;
      data.standing = *standing;
      (void)tell(*subscription, type::kStateChanged, std::move(data), {});
    }
  }
}

void SubscriptionRegistry::release() {
  {
    std::map<std::string, SubscriptionPtr, std::less<>> left;
    const std::unique_lock lock(mutex);
    left.swap(all);
  }
  if (!shared) return;
  shared->lives.reset();
  none_left_.wait();
}

}  // namespace stele::api
