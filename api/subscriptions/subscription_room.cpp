#include "api/subscriptions/subscription_room.h"

#include <algorithm>
#include <set>
#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/http/bounded_read.h"
#include "api/records/event_notes.h"
#include "api/subscriptions/subscription_log.h"
#include "api/subscriptions/subscription_registry.h"
#include "engine/base/check.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

namespace type = subscription_event;

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

/// Nobody knows whether the subject of a JWT is still there.
bool may_adopt(const Caller& caller, const SubscriptionOwner& owner) {
  const Principal* const principal = caller.principal();
  if (principal == nullptr || owner.name.empty() || owner.has_key) return false;
  return caller.may(Permission::Administer) && (principal->has_key || principal->name != owner.name);
}

}  // namespace

Problem no_subscription() { return {"subscription-not-found", "There is no such subscription."}; }

SubscriptionRoom::SubscriptionRoom(Store& store, EventHub& hub, Scheduler& scheduler, const ServiceOptions& options,
                                   BreakerTold breaker_told)
    : registry_(std::make_shared<SubscriptionRegistry>(store, hub, scheduler, options, std::move(breaker_told))) {
  registry_->load();
  registry_->watch_owners();
}

SubscriptionRoom::~SubscriptionRoom() {
  registry_->stop();
  registry_->release();
}

void SubscriptionRoom::begin_shutdown() { registry_->stop(); }

// Changes.

std::variant<SubscriptionRoom::Created, Problem> SubscriptionRoom::create(SubscribeRequest request,
                                                                          const SubscriptionChanger& by) {
  const std::lock_guard lock(registry_->changing);
  std::shared_ptr<Subscription> replaced;
  if (request.replaces) {
    replaced = registry_->find(*request.replaces);
    if (!replaced) return no_subscription();
  }
  {
    const std::shared_lock counting(registry_->mutex);
    const std::uint64_t subscriptions_max = limits().subscriptions_max;
    if (registry_->all.size() >= subscriptions_max + (replaced ? 1 : 0)) {
      return Problem("too-many-subscriptions",
                     "There may be " + std::to_string(subscriptions_max) + " subscriptions at once.");
    }
  }
  if (const Status opened = registry_->open_journal(); !opened) {
    registry_->options.subscriptions.report("the journal of deliveries: " + opened.error().describe());
    return Problem("unavailable", "The journal of deliveries cannot be opened; the server's log says why.");
  }
  SubscriptionDefinition& definition = request.definition;
  if (auto taken = registry_->taken_stream(definition, replaced.get())) return *std::move(taken);
  definition.id = make_id();
  definition.owner = owner_of(by.caller);
  definition.created = registry_->clock.now();

  std::optional<Position> from;
  if (request.from) {
    auto place = registry_->place_of(*request.from);
    if (auto* const problem = std::get_if<Problem>(&place)) return std::move(*problem);
    from = std::get<std::optional<Position>>(place);
  } else if (replaced) {
    from = replaced->done_before();
  }

  SubscriptionSecrets secrets;
  std::optional<std::string> shown;
  if (definition.kind == DeliveryKind::Webhook) {
    secrets.signing.push_back({WebhookSecret::make(), std::nullopt});
    shown = secrets.signing.front().secret.text();
    if (request.secrets.headers) secrets.headers = *std::move(request.secrets.headers);
    secrets.tls = std::move(request.secrets.tls);
    if (const Status kept = registry_->secrets.put(definition.id, secrets); !kept) {
      return registry_->no_secrets(definition.id, kept.error());
    }
  }
  SubscriptionEventData data;
  data.definition = definition;
  data.from_now = !from;
  data.replaces = request.replaces;
  data.place.end = from.value_or(registry_->store.durable_end());
  std::vector<RecordDraft> drafts;
  drafts.push_back(subscription_draft(definition, type::kCreated, data, by.caller, by.correlation, registry_->clock));
  if (replaced) {
    for (const SubscriptionEventData& letters : replaced->untold_letters()) {
      drafts.push_back(subscription_draft(replaced->definition(), type::kDeadLetters, letters, by.caller,
                                          by.correlation, registry_->clock));
    }
    SubscriptionEventData end;
    end.place = replaced->place();
    drafts.push_back(
        subscription_draft(replaced->definition(), type::kDeleted, end, by.caller, by.correlation, registry_->clock));
  }
  auto stored = append_own_events(registry_->store, std::move(drafts));
  if (auto* const problem = std::get_if<Problem>(&stored)) {
    (void)registry_->secrets.remove(definition.id);
    return std::move(*problem);
  }
  const OwnEventPlace& place = std::get<OwnEventPlace>(stored);  // of the first of them
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
  registry_->shared->journal.append(start.key, steps);
  start.sink = registry_->sink_of(definition, secrets);
  registry_->begin(std::move(start));
  if (replaced) registry_->forget(replaced);
  const auto made = registry_->find(definition.id);
  return Created{made->status(), std::move(shown)};
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::change(const std::string& id, ChangeRequest request,
                                                                   const SubscriptionChanger& by) {
  const std::lock_guard lock(registry_->changing);
  const auto subscription = registry_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionDefinition& definition = request.definition;
  if (auto taken = registry_->taken_stream(definition, subscription.get())) return *std::move(taken);
  auto secrets = registry_->secrets_of(definition);
  if (!secrets) return registry_->no_secrets(id, secrets.error());
  const SubscriptionSecrets before = *secrets;
  if (request.secrets.headers || request.secrets.tls) {
    if (request.secrets.headers) secrets->headers = *std::move(request.secrets.headers);
    if (request.secrets.tls) secrets->tls = std::move(request.secrets.tls);
    if (const Status kept = registry_->secrets.put(id, *secrets); !kept) {
      return registry_->no_secrets(id, kept.error());
    }
  }
  SubscriptionEventData data;
  data.definition = definition;
  if (auto problem = registry_->tell(*subscription, type::kChanged, data, by)) {
    (void)registry_->secrets.put(id, before);
    return *std::move(problem);
  }
  subscription->change(definition, registry_->sink_of(definition, *secrets));
  return subscription->status();
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::pause(const std::string& id,
                                                                  const SubscriptionChanger& by) {
  return registry_->stand(id, SubscriptionState::Paused, "", by);
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::resume(const std::string& id,
                                                                   const SubscriptionChanger& by) {
  {
    const std::lock_guard lock(registry_->changing);
    const auto subscription = registry_->find(id);
    if (!subscription) return no_subscription();
    SubscriptionDefinition definition = subscription->definition();
    const SubscriptionState state = subscription->standing().state;
    if (state == SubscriptionState::Stalled) return subscription->status();
    auto secrets = registry_->secrets_of(definition);
    if (!secrets) return registry_->no_secrets(id, secrets.error());
    const bool is_gone = !registry_->owner_is_there(definition);
    if (is_gone && !by.caller.may(Permission::Administer)) {
      return Problem("subscription-not-active", "Its owner has no key any more; an administrator can take it over.")
          .member("state", "\"suspended\"");
    }
    const bool is_adopted = is_gone || may_adopt(by.caller, definition.owner);
    if (is_adopted) {
      definition.owner = owner_of(by.caller);
      SubscriptionEventData data;
      data.definition = definition;
      if (auto problem = registry_->tell(*subscription, type::kChanged, data, by)) return *std::move(problem);
    }
    // Secrets may have come back since.
    auto sink = registry_->sink_of(definition, *secrets);
    if (sink == nullptr && definition.kind != DeliveryKind::Pull) {
      return Problem("redis-not-configured", "This server was started without what the subscription delivers to.");
    }
    if (is_adopted || state != SubscriptionState::Active) subscription->change(std::move(definition), std::move(sink));
  }
  return registry_->stand(id, SubscriptionState::Active, "", by);
}

std::variant<SubscriptionStatus, Problem> SubscriptionRoom::seek(const std::string& id, const SeekRequest& request,
                                                                 const SubscriptionChanger& by) {
  const std::lock_guard lock(registry_->changing);
  const auto subscription = registry_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionStatus before = subscription->status();
  if (before.standing.state != SubscriptionState::Paused) {
    const std::string state(name_of(before.standing.state));
    return Problem("subscription-not-paused", "The subscription is " + state + ".").member("state", '"' + state + '"');
  }
  auto place = registry_->place_of(request.from);
  if (auto* const problem = std::get_if<Problem>(&place)) return std::move(*problem);
  const Position end = std::get<std::optional<Position>>(place).value_or(registry_->store.durable_end());
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
  if (auto problem = registry_->tell(*subscription, type::kSought, data, by)) return *std::move(problem);
  subscription->seek(data.place.generation, end);
  return subscription->status();
}

std::variant<std::string, Problem> SubscriptionRoom::rotate_secret(const std::string& id,
                                                                   const SubscriptionChanger& by) {
  const std::lock_guard lock(registry_->changing);
  const auto subscription = registry_->find(id);
  if (!subscription) return no_subscription();
  const SubscriptionDefinition definition = subscription->definition();
  if (definition.kind != DeliveryKind::Webhook) {
    return Problem("other-delivery-kind", "Only webhooks are signed.");
  }
  auto secrets = registry_->secrets_of(definition);
  if (!secrets) return registry_->no_secrets(id, secrets.error());
  const SubscriptionSecrets former = *secrets;
  const Timestamp now = registry_->clock.now();
  std::vector<SubscriptionSecrets::Signing>& signing = secrets->signing;
  // The one before goes on for a while, those before that no more: two signatures at most.
  signing.resize(std::min<std::size_t>(signing.size(), 1), {WebhookSecret::make(), std::nullopt});
  for (SubscriptionSecrets::Signing& before : signing) {
    before.until =
        Timestamp{now.micros + std::chrono::microseconds(registry_->options.subscriptions.old_secret_time).count()};
  }
  signing.insert(signing.begin(), {WebhookSecret::make(), std::nullopt});
  std::string shown = signing.front().secret.text();
  if (const Status kept = registry_->secrets.put(id, *secrets); !kept) return registry_->no_secrets(id, kept.error());
  if (auto problem = registry_->tell(*subscription, type::kSecretRotated, {}, by)) {
    (void)registry_->secrets.put(id, former);
    return *std::move(problem);
  }
  subscription->change(definition, registry_->sink_of(definition, *secrets));
  return shown;
}

std::optional<Problem> SubscriptionRoom::remove(const std::string& id, const SubscriptionChanger& by) {
  const std::lock_guard lock(registry_->changing);
  const auto subscription = registry_->find(id);
  if (!subscription) return no_subscription();
  if (auto problem = registry_->tell(*subscription, type::kDeleted, {}, by)) return problem;
  registry_->forget(subscription);
  return std::nullopt;
}

// Looks.

std::optional<SubscriptionStatus> SubscriptionRoom::status(std::string_view id) const {
  const auto subscription = registry_->find(id);
  return subscription ? std::optional(subscription->status()) : std::nullopt;
}

std::vector<SubscriptionStatus> SubscriptionRoom::list(std::string_view after, std::size_t limit) const {
  std::vector<std::shared_ptr<Subscription>> some;
  {
    const std::shared_lock lock(registry_->mutex);
    for (auto at = registry_->all.upper_bound(after); at != registry_->all.end() && some.size() < limit; ++at) {
      some.push_back(at->second);
    }
  }
  std::vector<SubscriptionStatus> listed;
  for (const auto& subscription : some) listed.push_back(subscription->status());
  return listed;
}

std::vector<ListedDeadLetter> SubscriptionRoom::dead_letters(std::string_view id, Position from,
                                                             std::size_t limit) const {
  const auto subscription = registry_->find(id);
  return subscription ? subscription->dead_letters(from, limit) : std::vector<ListedDeadLetter>();
}

std::vector<ListedHeld> SubscriptionRoom::held(std::string_view id, std::string_view after, std::size_t limit) const {
  const auto subscription = registry_->find(id);
  return subscription ? subscription->held(after, limit) : std::vector<ListedHeld>();
}

std::vector<TracedAttempt> SubscriptionRoom::attempts(std::string_view id) const {
  const auto subscription = registry_->find(id);
  return subscription ? subscription->attempts() : std::vector<TracedAttempt>();
}

void SubscriptionRoom::aliases_changed() {
  for (const auto& subscription : registry_->everyone()) subscription->wake();
}

void SubscriptionRoom::forget_answers(std::span<const Position> events) {
  for (const auto& subscription : registry_->everyone()) subscription->forget_answers(events);
}

std::vector<std::string> SubscriptionRoom::concerned_with(std::string_view aggregate_id,
                                                          const std::optional<std::string>& aggregate_type) const {
  std::vector<std::string> ids;
  for (const auto& subscription : registry_->everyone()) {
    if (subscription->may_concern(aggregate_id, aggregate_type)) ids.push_back(subscription->definition().id);
  }
  return ids;
}

SubscriptionRoom::Fate SubscriptionRoom::fate_of(std::string_view id, const Record& record) const {
  const auto subscription = registry_->find(id);
  return subscription ? subscription->fate_of(record) : Fate();
}

// Dead letters.

std::variant<SubscriptionRoom::Redriven, Problem> SubscriptionRoom::redrive(const std::string& id,
                                                                            const DeadLetterFilter& filter,
                                                                            std::uint32_t per_second, bool dry_run,
                                                                            const std::function<bool()>& gone) {
  const auto subscription = registry_->find(id);
  if (!subscription) return no_subscription();
  const auto is_one_of = [](const std::vector<std::string>& names, std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<std::string> event_types = filter.event_types;
  if (const EventNotes* const notes = registry_->options.notes) notes->aliases.widen(event_types);
  Redriven redriven;
  std::optional<std::set<Position>> only;
  if (filter.positions) only.emplace(filter.positions->begin(), filter.positions->end());
  const auto view = registry_->store.view();
  for (const ListedDeadLetter& listed : subscription->dead_letters(Position{0}, SIZE_MAX)) {
    const DeadLetter& letter = listed.letter;
    if (only && !only->contains(listed.position)) continue;
    if (filter.error && *filter.error != letter.error) continue;
    if (filter.status && *filter.status != letter.status) continue;
    if (filter.before && letter.time >= *filter.before) continue;
    if (!is_one_of(filter.aggregate_ids, letter.aggregate_id)) continue;
    if (!event_types.empty()) {
      if (gone()) break;
      Record record;
      if (!view->read(listed.position, record)) return read_failed();
      if (!is_one_of(event_types, record.header().event_type)) continue;
    }
    redriven.positions.push_back(listed.position);
  }
  if (!dry_run && !gone()) subscription->redrive(redriven.positions, per_second);
  return redriven;
}

std::optional<Problem> SubscriptionRoom::drop(const std::string& id, Position position) {
  const auto subscription = registry_->find(id);
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
  const auto subscription = registry_->find(id);
  return subscription && subscription->wait_acked(position, at_most, std::move(waited));
}

void SubscriptionRoom::send_test(const std::string& id, Tested tested) {
  const auto subscription = registry_->find(id);
  if (!subscription) return tested(no_subscription());
  if (subscription->definition().kind != DeliveryKind::Webhook) {
    return tested(Problem("other-delivery-kind", "Only webhooks can be tested."));
  }
  subscription->send_test(std::move(tested));
}

void SubscriptionRoom::pull(const std::string& id, std::size_t limit, std::chrono::milliseconds wait,
                            std::chrono::milliseconds lease, std::function<bool()> gone, Pulled pulled) {
  const auto subscription = registry_->find(id);
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
  const auto subscription = registry_->find(id);
  return subscription ? refusal_of(subscription->ack(lease, events)) : no_subscription();
}

std::optional<Problem> SubscriptionRoom::nack(const std::string& id, const std::string& lease,
                                              const std::optional<std::vector<Uuid>>& events,
                                              std::optional<std::chrono::milliseconds> delay) {
  const auto subscription = registry_->find(id);
  return subscription ? refusal_of(subscription->nack(lease, events, delay)) : no_subscription();
}

std::optional<Problem> SubscriptionRoom::extend(const std::string& id, const std::string& lease,
                                                std::chrono::milliseconds for_time) {
  const auto subscription = registry_->find(id);
  return subscription ? refusal_of(subscription->extend(lease, for_time)) : no_subscription();
}

// What requests are checked against.

const SubscriptionLimits& SubscriptionRoom::limits() const { return registry_->options.subscriptions.limits; }

std::string SubscriptionRoom::url_objection(std::string_view url) const {
  if (registry_->options.webhooks == nullptr) return "This server sends no webhooks.";
  return registry_->options.webhooks->url_objection(url);
}

std::uint32_t SubscriptionRoom::newest_version(const std::vector<std::string>& event_types) const {
  return newest_schema_version(registry_->options.notes, event_types);
}

std::string SubscriptionRoom::tls_objection(const WebhookTls& tls) const {
  if (registry_->options.webhooks == nullptr) return "This server sends no webhooks.";
  return registry_->options.webhooks->tls_objection(tls);
}

bool SubscriptionRoom::has_redis() const { return registry_->options.redis != nullptr; }

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
  for (const auto& subscription : registry_->everyone()) {
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
  if (registry_->unreadable > 0) {
    report.warnings.push_back(std::to_string(registry_->unreadable) + " subscriptions cannot be understood");
  }
  return report;
}

}  // namespace stele::api
