#include "api/subscriptions/subscription_room.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <utility>

#include "api/access/authenticator.h"
#include "api/http/bounded_read.h"
#include "api/subscriptions/redis_sink.h"
#include "api/subscriptions/subscription.h"
#include "api/subscriptions/subscription_log.h"
#include "api/subscriptions/webhook_sink.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

namespace type = subscription_event;

Problem no_secrets() {
  return {"unavailable", "The key store, where secrets are kept, cannot be used now; the server's log says why."};
}

std::string make_id() {
  Uuid random;
  random_bytes(random.bytes.data(), random.bytes.size());
  std::string text = to_string(random);
  std::erase(text, '-');
  return "sub_" + text;
}

SubscriptionOwner owner_of(const Caller& caller) {
  SubscriptionOwner owner;
  const Principal* const principal = caller.principal();
  if (principal == nullptr) return owner;
  owner.name = principal->name;
  owner.has_key = principal->has_key;
  owner.role = principal->role;
  owner.aggregate_types = principal->aggregate_types;
  return owner;
}

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

Problem no_subscription() { return {"subscription-not-found", "There is no such subscription."}; }

class SubscriptionRoom::Impl : public std::enable_shared_from_this<SubscriptionRoom::Impl> {
 public:
  using SubscriptionPtr = std::shared_ptr<Subscription>;

  Impl(Store& of, EventHub& feeder, Scheduler& timers, const ServiceOptions& settings)
      : store(of),
        hub(feeder),
        scheduler(timers),
        options(settings),
        clock(settings.clock != nullptr ? *settings.clock : system_clock()),
        secrets(settings.subscriptions.files != nullptr ? *settings.subscriptions.files : posix_file_system(),
                settings.subscriptions.secrets_folder) {}

  void load();
  void stop();
  void watch_owners();
  void check_owners();

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
  /// Opens the journal when there is first need of it.
  [[nodiscard]] Status open_journal();
  [[nodiscard]] std::shared_ptr<DeliverySink> sink_of(const SubscriptionDefinition& definition,
                                                      const SubscriptionSecrets& secrets_of);
  [[nodiscard]] Result<SubscriptionSecrets> secrets_of(const SubscriptionDefinition& definition) const;
  /// Where deliveries begin; none = now.
  [[nodiscard]] std::variant<std::optional<Position>, Problem> place_of(const StartAt& from) const;
  void begin(Subscription::Start start);
  [[nodiscard]] std::optional<Problem> tell(const Subscription& subscription, std::string_view event_type,
                                            SubscriptionEventData data, const SubscriptionChanger& by,
                                            OwnEventPlace* place = nullptr) const;
  [[nodiscard]] std::variant<SubscriptionStatus, Problem> stand(const std::string& id, SubscriptionState state,
                                                                std::string reason, const SubscriptionChanger& by);
  [[nodiscard]] bool owner_is_there(const SubscriptionDefinition& definition) const;
  void forget(const SubscriptionPtr& subscription);

  Store& store;
  EventHub& hub;
  Scheduler& scheduler;
  const ServiceOptions& options;
  const Clock& clock;
  SubscriptionSecretStore secrets;
  DeliveryThreads threads;
  std::optional<SubscriptionShared> shared;  ///< once there is a journal
  std::mutex changing;                       ///< held while the log is told of a change, which then holds
  mutable std::shared_mutex mutex;
  std::map<std::string, SubscriptionPtr, std::less<>> all;
  std::size_t unreadable = 0;
  std::mutex stopping_mutex;
  bool stopping = false;
};

Status SubscriptionRoom::Impl::open_journal() {
  if (shared) return {};
  STELE_ASSIGN(DeliveryJournal* const journal, store.deliveries());
  shared.emplace(SubscriptionShared{store, hub, *journal, threads, scheduler, clock, options.read_limits});
  return {};
}

Result<SubscriptionSecrets> SubscriptionRoom::Impl::secrets_of(const SubscriptionDefinition& definition) const {
  if (definition.kind != DeliveryKind::Webhook) return SubscriptionSecrets();
  STELE_ASSIGN(auto found, secrets.find(definition.id));
  if (found) return *std::move(found);
  return Error{.kind = ErrorKind::NotFound, .message = "the key store has no secrets of a subscription"};
}

std::shared_ptr<DeliverySink> SubscriptionRoom::Impl::sink_of(const SubscriptionDefinition& definition,
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

std::optional<Problem> SubscriptionRoom::Impl::taken_stream(const SubscriptionDefinition& definition,
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

void SubscriptionRoom::Impl::begin(Subscription::Start start) {
  auto subscription = std::make_shared<Subscription>(*shared, std::move(start));
  const std::string id = subscription->definition().id;
  {
    const std::unique_lock lock(mutex);
    all.insert_or_assign(id, subscription);
  }
  subscription->wake();
}

void SubscriptionRoom::Impl::load() {
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
        auto letters = read_logged_dead_letters(*view, start.definition.id);
        if (!letters) fail(letters.error());
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
    start.sink = sink_of(start.definition, kept ? *kept : SubscriptionSecrets());
    const bool cannot = !kept || (start.sink == nullptr && start.definition.kind != DeliveryKind::Pull);
    if (cannot &&
        (start.standing.state == SubscriptionState::Active || start.standing.state == SubscriptionState::Stalled)) {
      start.standing = {SubscriptionState::Stopped,
                        !kept ? "its secrets cannot be read: " + kept.error().describe()
                              : "this server was started without what it delivers to",
                        clock.now()};
    }
    begin(std::move(start));
  }
  // Of those that were deleted while the journal could not be told.
  if (unreadable > 0) return;
  for (const auto& [key, state] : states) journal.forget(key);
}

std::variant<std::optional<Position>, Problem> SubscriptionRoom::Impl::place_of(const StartAt& from) const {
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

std::optional<Problem> SubscriptionRoom::Impl::tell(const Subscription& subscription, std::string_view event_type,
                                                    SubscriptionEventData data, const SubscriptionChanger& by,
                                                    OwnEventPlace* place) const {
  const std::uint32_t generation = data.place.generation;
  const bool has_place = event_type == type::kSought;
  if (!has_place) data.place = subscription.place();
  STELE_CHECK(data.place.generation >= generation || !has_place);
  auto told =
      append_subscription_event(store, subscription.definition(), event_type, data, by.caller, by.correlation, clock);
  if (auto* const problem = std::get_if<Problem>(&told)) return std::move(*problem);
  if (place != nullptr) *place = std::get<OwnEventPlace>(told);
  return std::nullopt;
}

bool SubscriptionRoom::Impl::owner_is_there(const SubscriptionDefinition& definition) const {
  const SubscriptionOwner& owner = definition.owner;
  if (owner.name.empty() || !owner.has_key || !options.authenticator) return true;
  const std::vector<Role> known = options.authenticator->roles_of_keys(owner.name);
  const bool of_store = std::any_of(definition.event_types.begin(), definition.event_types.end(),
                                    [](const std::string& name) { return name.starts_with('$'); });
  return std::any_of(known.begin(), known.end(), [&](Role role) {
    return grants(role, Permission::Subscribe) && (!of_store || grants(role, Permission::Audit));
  });
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::Impl::stand(const std::string& id, SubscriptionState state,
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

void SubscriptionRoom::Impl::forget(const SubscriptionPtr& subscription) {
  const std::string id = subscription->definition().id;
  {
    const std::unique_lock lock(mutex);
    all.erase(id);
  }
  subscription->end(Subscription::End::Deleted);
  shared->journal.forget(subscription->key());
  (void)secrets.remove(id);  // what is left there belongs to nothing
}

void SubscriptionRoom::Impl::watch_owners() {
  {
    const std::lock_guard lock(stopping_mutex);
    if (stopping || !options.authenticator) return;
  }
  threads.post(DeliveryLane::Slow, [this] {
    check_owners();
    scheduler.after(options.subscriptions.owners_interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->watch_owners();
    });
  });
}

void SubscriptionRoom::Impl::check_owners() {
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

void SubscriptionRoom::Impl::stop() {
  {
    const std::lock_guard lock(stopping_mutex);
    if (std::exchange(stopping, true)) return;
  }
  if (options.webhooks != nullptr) options.webhooks->stop();
  for (const SubscriptionPtr& subscription : everyone()) subscription->end(Subscription::End::Shutdown);
}

SubscriptionRoom::SubscriptionRoom(Store& store, EventHub& hub, Scheduler& scheduler, const ServiceOptions& options)
    : impl_(std::make_shared<Impl>(store, hub, scheduler, options)) {
  impl_->load();
  impl_->watch_owners();
}

SubscriptionRoom::~SubscriptionRoom() {
  impl_->stop();
  impl_->threads.stop();
}

void SubscriptionRoom::begin_shutdown() { impl_->stop(); }

// Changes.

std::variant<SubscriptionRoom::Created, Problem> SubscriptionRoom::create(SubscribeRequest request,
                                                                          const SubscriptionChanger& by) {
  const std::lock_guard lock(impl_->changing);
  std::shared_ptr<Subscription> replaced;
  if (request.replaces) {
    replaced = impl_->find(*request.replaces);
    if (!replaced) return no_subscription();
  }
  {
    const std::shared_lock counting(impl_->mutex);
    if (impl_->all.size() >= kSubscriptionsMax + (replaced ? 1 : 0)) {
      return Problem("too-many-subscriptions",
                     "There may be " + std::to_string(kSubscriptionsMax) + " subscriptions at once.");
    }
  }
  if (const Status opened = impl_->open_journal(); !opened) {
    return Problem("unavailable", "The journal of deliveries cannot be opened; the server's log says why.");
  }
  SubscriptionDefinition& definition = request.definition;
  if (auto taken = impl_->taken_stream(definition, replaced.get())) return *std::move(taken);
  definition.id = make_id();
  definition.owner = owner_of(by.caller);
  definition.created = impl_->clock.now();

  std::optional<Position> from;
  if (request.from) {
    auto place = impl_->place_of(*request.from);
    if (auto* const problem = std::get_if<Problem>(&place)) return std::move(*problem);
    from = std::get<std::optional<Position>>(place);
  } else if (replaced) {
    from = replaced->place().end;
  }

  SubscriptionSecrets secrets;
  std::optional<std::string> shown;
  if (definition.kind == DeliveryKind::Webhook) {
    secrets.signing.push_back({WebhookSecret::make(), std::nullopt});
    shown = secrets.signing.front().secret.text();
    if (request.secrets.headers) secrets.headers = *std::move(request.secrets.headers);
    secrets.tls = std::move(request.secrets.tls);
    if (!impl_->secrets.put(definition.id, secrets)) return no_secrets();
  }
  SubscriptionEventData data;
  data.definition = definition;
  data.from_now = !from;
  data.place.end = from.value_or(impl_->store.durable_end());
  std::vector<RecordDraft> drafts;
  drafts.push_back(subscription_draft(definition, type::kCreated, data, by.caller, by.correlation, impl_->clock));
  if (replaced) {
    SubscriptionEventData end;
    end.place = replaced->place();
    drafts.push_back(
        subscription_draft(replaced->definition(), type::kDeleted, end, by.caller, by.correlation, impl_->clock));
  }
  auto stored = append_own_events(impl_->store, std::move(drafts));
  if (auto* const problem = std::get_if<Problem>(&stored)) {
    (void)impl_->secrets.remove(definition.id);
    return std::move(*problem);
  }
  const OwnEventPlace& place = std::get<OwnEventPlace>(stored);
  Subscription::Start start{SubscriptionKey{place.position.value()}, definition, {}, {}, {}};
  start.definition.created = start.standing.since = place.time;
  start.begun = from.value_or(place.position.next());
  const DeliveryBegun begun{1, start.begun, BatchNumber{0}};
  std::vector<DeliveryStep> steps{begun};
  if (replaced) {
    // What the other one has given up is still to be had.
    for (ListedDeadLetter& listed : replaced->dead_letters(Position{0}, SIZE_MAX)) {
      if (listed.position < start.begun) steps.emplace_back(DeadLetterAdded{listed.position, std::move(listed.letter)});
    }
    start.letters_untold = true;
  }
  for (const DeliveryStep& step : steps) STELE_CHECK(apply_step(start.state, step));
  impl_->shared->journal.append(start.key, steps);
  start.sink = impl_->sink_of(definition, secrets);
  impl_->begin(std::move(start));
  if (replaced) impl_->forget(replaced);
  const auto made = impl_->find(definition.id);
  return Created{made->status(), std::move(shown)};
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::change(const std::string& id, ChangeRequest request,
                                                                   const SubscriptionChanger& by) {
  const std::lock_guard lock(impl_->changing);
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionDefinition& definition = request.definition;
  if (auto taken = impl_->taken_stream(definition, subscription.get())) return *std::move(taken);
  auto secrets = impl_->secrets_of(definition);
  if (!secrets) return no_secrets();
  const SubscriptionSecrets before = *secrets;
  if (request.secrets.headers || request.secrets.tls) {
    if (request.secrets.headers) secrets->headers = *std::move(request.secrets.headers);
    if (request.secrets.tls) secrets->tls = std::move(request.secrets.tls);
    if (!impl_->secrets.put(id, *secrets)) return no_secrets();
  }
  SubscriptionEventData data;
  data.definition = definition;
  if (auto problem = impl_->tell(*subscription, type::kChanged, data, by)) {
    (void)impl_->secrets.put(id, before);
    return *std::move(problem);
  }
  subscription->change(definition, impl_->sink_of(definition, *secrets));
  return subscription->status();
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::pause(const std::string& id,
                                                                  const SubscriptionChanger& by) {
  return impl_->stand(id, SubscriptionState::Paused, "", by);
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::resume(const std::string& id,
                                                                   const SubscriptionChanger& by) {
  {
    const std::lock_guard lock(impl_->changing);
    const auto subscription = impl_->find(id);
    if (!subscription) return no_subscription();
    SubscriptionDefinition definition = subscription->definition();
    const SubscriptionState state = subscription->standing().state;
    if (state == SubscriptionState::Stalled) return subscription->status();
    auto secrets = impl_->secrets_of(definition);
    if (!secrets) return no_secrets();
    if (!impl_->owner_is_there(definition)) {
      if (!by.caller.may(Permission::Administer)) {
        return Problem("subscription-not-active", "Its owner has no key any more; an administrator can take it over.")
            .member("state", "\"suspended\"");
      }
      definition.owner = owner_of(by.caller);
      SubscriptionEventData data;
      data.definition = definition;
      if (auto problem = impl_->tell(*subscription, type::kChanged, data, by)) return *std::move(problem);
    }
    // Secrets may have come back since.
    auto sink = impl_->sink_of(definition, *secrets);
    if (sink == nullptr && definition.kind != DeliveryKind::Pull) {
      return Problem("redis-not-configured", "This server was started without what the subscription delivers to.");
    }
    if (state != SubscriptionState::Active) subscription->change(std::move(definition), std::move(sink));
  }
  return impl_->stand(id, SubscriptionState::Active, "", by);
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::seek(const std::string& id, const SeekRequest& request,
                                                                 const SubscriptionChanger& by) {
  const std::lock_guard lock(impl_->changing);
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionStatus before = subscription->status();
  if (before.standing.state != SubscriptionState::Paused) {
    const std::string state(name_of(before.standing.state));
    return Problem("subscription-not-paused", "The subscription is " + state + ".").member("state", '"' + state + '"');
  }
  auto place = impl_->place_of(request.from);
  if (auto* const problem = std::get_if<Problem>(&place)) return std::move(*problem);
  const Position end = std::get<std::optional<Position>>(place).value_or(impl_->store.durable_end());
  if (before.definition.kind == DeliveryKind::RedisStream && end < before.end) {
    const std::string detail = "A stream cannot take entries from before its end; make a subscription to another key.";
    return Problem("invalid-request", "/from: " + detail).error({"pointer", "/from", detail, {}});
  }
  if (request.dry_run) {
    SubscriptionStatus after = before;
    after.generation = before.generation + 1;
    after.end = end;
    after.end_time = {};
    return after;
  }
  SubscriptionEventData data;
  data.place = {before.generation + 1, end, {}};
  if (auto problem = impl_->tell(*subscription, type::kSought, data, by)) return *std::move(problem);
  subscription->seek(data.place.generation, end);
  return subscription->status();
}

std::variant<std::string, Problem> SubscriptionRoom::rotate_secret(const std::string& id,
                                                                   const SubscriptionChanger& by) {
  const std::lock_guard lock(impl_->changing);
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionDefinition definition = subscription->definition();
  if (definition.kind != DeliveryKind::Webhook) {
    return Problem("other-delivery-kind", "Only webhooks are signed.");
  }
  auto secrets = impl_->secrets_of(definition);
  if (!secrets) return no_secrets();
  const SubscriptionSecrets former = *secrets;
  const Timestamp now = impl_->clock.now();
  std::vector<SubscriptionSecrets::Signing>& signing = secrets->signing;
  // The one before goes on for a while, those before that no more: two signatures at most.
  signing.resize(std::min<std::size_t>(signing.size(), 1), {WebhookSecret::make(), std::nullopt});
  for (SubscriptionSecrets::Signing& before : signing) {
    before.until =
        Timestamp{now.micros + std::chrono::microseconds(impl_->options.subscriptions.old_secret_time).count()};
  }
  signing.insert(signing.begin(), {WebhookSecret::make(), std::nullopt});
  std::string shown = signing.front().secret.text();
  if (!impl_->secrets.put(id, *secrets)) return no_secrets();
  if (auto problem = impl_->tell(*subscription, type::kSecretRotated, {}, by)) {
    (void)impl_->secrets.put(id, former);
    return *std::move(problem);
  }
  subscription->change(definition, impl_->sink_of(definition, *secrets));
  return shown;
}

std::optional<Problem> SubscriptionRoom::remove(const std::string& id, const SubscriptionChanger& by) {
  const std::lock_guard lock(impl_->changing);
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  if (auto problem = impl_->tell(*subscription, type::kDeleted, {}, by)) return problem;
  impl_->forget(subscription);
  return std::nullopt;
}

// Looks.

std::optional<SubscriptionStatus> SubscriptionRoom::status(std::string_view id) const {
  const auto subscription = impl_->find(id);
  return subscription ? std::optional(subscription->status()) : std::nullopt;
}

std::vector<SubscriptionStatus> SubscriptionRoom::list(std::string_view after, std::size_t limit) const {
  std::vector<std::shared_ptr<Subscription>> some;
  {
    const std::shared_lock lock(impl_->mutex);
    for (auto at = impl_->all.upper_bound(after); at != impl_->all.end() && some.size() < limit; ++at) {
      some.push_back(at->second);
    }
  }
  std::vector<SubscriptionStatus> listed;
  for (const auto& subscription : some) listed.push_back(subscription->status());
  return listed;
}

std::vector<ListedDeadLetter> SubscriptionRoom::dead_letters(std::string_view id, Position from,
                                                             std::size_t limit) const {
  const auto subscription = impl_->find(id);
  return subscription ? subscription->dead_letters(from, limit) : std::vector<ListedDeadLetter>();
}

std::vector<ListedHeld> SubscriptionRoom::held(std::string_view id, std::string_view after, std::size_t limit) const {
  const auto subscription = impl_->find(id);
  return subscription ? subscription->held(after, limit) : std::vector<ListedHeld>();
}

std::vector<TracedAttempt> SubscriptionRoom::attempts(std::string_view id) const {
  const auto subscription = impl_->find(id);
  return subscription ? subscription->attempts() : std::vector<TracedAttempt>();
}

SubscriptionRoom::Fate SubscriptionRoom::fate_of(std::string_view id, const Record& record) const {
  const auto subscription = impl_->find(id);
  return subscription ? subscription->fate_of(record) : Fate();
}

// Dead letters.

std::variant<SubscriptionRoom::Redriven, Problem> SubscriptionRoom::redrive(const std::string& id,
                                                                            const DeadLetterFilter& filter,
                                                                            std::uint32_t per_second, bool dry_run,
                                                                            const std::function<bool()>& gone) {
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  const auto is_one_of = [](const std::vector<std::string>& names, std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  Redriven redriven;
  std::optional<std::set<Position>> only;
  if (filter.positions) only.emplace(filter.positions->begin(), filter.positions->end());
  const auto view = impl_->store.view();
  for (const ListedDeadLetter& listed : subscription->dead_letters(Position{0}, SIZE_MAX)) {
    const DeadLetter& letter = listed.letter;
    if (only && !only->contains(listed.position)) continue;
    if (filter.error && *filter.error != letter.error) continue;
    if (filter.status && *filter.status != letter.status) continue;
    if (filter.before && letter.time >= *filter.before) continue;
    if (!is_one_of(filter.aggregate_ids, letter.aggregate_id)) continue;
    if (!filter.event_types.empty()) {
      if (gone()) break;
      Record record;
      if (!view->read(listed.position, record)) return read_failed();
      if (!is_one_of(filter.event_types, record.header().event_type)) continue;
    }
    redriven.positions.push_back(listed.position);
  }
  if (!dry_run && !gone()) subscription->redrive(redriven.positions, per_second);
  return redriven;
}

std::optional<Problem> SubscriptionRoom::drop(const std::string& id, Position position) {
  const auto subscription = impl_->find(id);
  if (!subscription) return no_subscription();
  switch (subscription->drop(position)) {
    case Subscription::Dropped::Yes:
      return std::nullopt;
    case Subscription::Dropped::None:
      return Problem("dead-letter-not-found", "There is no dead letter at this position.");
    case Subscription::Dropped::Busy:
      break;
  }
  return Problem("delivery-in-progress", "The event is being delivered once more.");
}

// Waiting.

bool SubscriptionRoom::wait_acked(std::string_view id, Position position, std::chrono::milliseconds at_most,
                                  Waited waited) {
  const auto subscription = impl_->find(id);
  return subscription && subscription->wait_acked(position, at_most, std::move(waited));
}

void SubscriptionRoom::send_test(const std::string& id, Tested tested) {
  const auto subscription = impl_->find(id);
  if (!subscription) return tested(no_subscription());
  if (subscription->definition().kind != DeliveryKind::Webhook) {
    return tested(Problem("other-delivery-kind", "Only webhooks can be tested."));
  }
  subscription->send_test(std::move(tested));
}

void SubscriptionRoom::pull(const std::string& id, std::size_t limit, std::chrono::milliseconds wait,
                            std::chrono::milliseconds lease, std::function<bool()> gone, Pulled pulled) {
  const auto subscription = impl_->find(id);
  if (!subscription) return pulled(no_subscription());
  if (subscription->definition().kind != DeliveryKind::Pull) {
    return pulled(Problem("other-delivery-kind", "The subscription is not pulled: it delivers by itself."));
  }
  subscription->pull(limit, wait, lease, std::move(gone), std::move(pulled));
}

namespace {

std::optional<Problem> refusal_of(PullLeases::Answer answer) {
  switch (answer) {
    case PullLeases::Answer::Done:
      return std::nullopt;
    case PullLeases::Answer::Expired:
      return Problem("lease-expired", "The lease is over, or was never given.");
    case PullLeases::Answer::Unknown:
      break;
  }
  const std::string detail = "Not all of these events belong to the lease.";
  return Problem("invalid-request", "/eventIds: " + detail).error({"pointer", "/eventIds", detail, {}});
}

}  // namespace

std::optional<Problem> SubscriptionRoom::ack(const std::string& id, const std::string& lease,
                                             const std::optional<std::vector<Uuid>>& events) {
  const auto subscription = impl_->find(id);
  return subscription ? refusal_of(subscription->ack(lease, events)) : no_subscription();
}

std::optional<Problem> SubscriptionRoom::nack(const std::string& id, const std::string& lease,
                                              const std::optional<std::vector<Uuid>>& events,
                                              std::optional<std::chrono::milliseconds> delay) {
  const auto subscription = impl_->find(id);
  return subscription ? refusal_of(subscription->nack(lease, events, delay)) : no_subscription();
}

std::optional<Problem> SubscriptionRoom::extend(const std::string& id, const std::string& lease,
                                                std::chrono::milliseconds for_time) {
  const auto subscription = impl_->find(id);
  return subscription ? refusal_of(subscription->extend(lease, for_time)) : no_subscription();
}

// What requests are checked against.

std::string SubscriptionRoom::url_objection(std::string_view url) const {
  if (impl_->options.webhooks == nullptr) return "This server sends no webhooks.";
  return impl_->options.webhooks->url_objection(url);
}

std::string SubscriptionRoom::tls_objection(const WebhookTls& tls) const {
  if (impl_->options.webhooks == nullptr) return "This server sends no webhooks.";
  return impl_->options.webhooks->tls_objection(tls);
}

bool SubscriptionRoom::has_redis() const { return impl_->options.redis != nullptr; }

SubjectReport SubscriptionRoom::report() const {
  using Kind = SubjectMetric::Kind;
  SubjectReport report;
  std::map<SubscriptionState, std::uint64_t> states;
  for (const SubscriptionState state :
       {SubscriptionState::Active, SubscriptionState::Paused, SubscriptionState::Stopped, SubscriptionState::Stalled,
        SubscriptionState::Suspended, SubscriptionState::Disabled}) {
    states[state] = 0;
  }
  std::uint64_t in_flight = 0, held = 0, letters = 0, delivered = 0, failures = 0;
  for (const auto& subscription : impl_->everyone()) {
    const SubscriptionStatus status = subscription->status();
    ++states[status.standing.state];
    in_flight += status.in_flight;
    held += status.held_back;
    letters += status.dead_letters;
    delivered += status.delivered;
    failures += status.failures;
  }
  SubjectMetric by_state{Kind::Gauge, "stele_subscriptions", "Subscriptions by their state.", "state", {}};
  for (const auto& [state, count] : states) by_state.samples.emplace_back(name_of(state), count);
  report.metrics.push_back(std::move(by_state));
  const auto add = [&](Kind kind, const char* name, const char* help, std::uint64_t value) {
    report.metrics.push_back({kind, name, help, {}, {{"", value}}});
  };
  add(Kind::Gauge, "stele_deliveries_in_flight_events", "Events that are being delivered.", in_flight);
  add(Kind::Gauge, "stele_deliveries_held_aggregates",
      "Aggregates, over all subscriptions, that wait behind an event that was not delivered.", held);
  add(Kind::Gauge, "stele_dead_letters", "Events that were given up, over all subscriptions.", letters);
  add(Kind::Counter, "stele_delivered_events_total", "Events that were delivered and acknowledged.", delivered);
  add(Kind::Counter, "stele_delivery_failures_total", "Attempts to deliver that have failed.", failures);
  if (impl_->unreadable > 0) {
    report.warnings.push_back(std::to_string(impl_->unreadable) + " subscriptions cannot be understood");
  }
  return report;
}

}  // namespace stele::api
