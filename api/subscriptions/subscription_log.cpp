#include "api/subscriptions/subscription_log.h"

#include <initializer_list>
#include <utility>

namespace stele::api {

namespace {

namespace type = subscription_event;

std::string aggregate_of(std::string_view subscription_id) {
  return own_aggregate_id(kSubscriptionPrefix, subscription_id);
}

EventQuery events_of(std::string aggregate_id, std::initializer_list<std::string_view> types) {
  EventQuery query;
  query.aggregate_id = std::move(aggregate_id);
  query.event_types.assign(types.begin(), types.end());
  query.include_system = true;
  return query;
}

/// False if there is none.
Result<bool> read_newest(const ReadView& view, const std::string& aggregate_id,
                         std::initializer_list<std::string_view> types, Record& to) {
  EventQuery query = events_of(aggregate_id, types);
  query.direction = Direction::Descending;
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query));
  return events->next(to);
}

/// None: it was deleted. Corrupt: its events cannot be understood.
Result<std::optional<LoggedSubscription>> read_one(const ReadView& view, const std::string& aggregate_id) {
  const Error unreadable{.kind = ErrorKind::Corrupt, .message = "events of a subscription cannot be understood"};
  LoggedSubscription found;
  Record record;
  // Something that it told of itself may have come behind its end.
  STELE_ASSIGN(const bool deleted, read_newest(view, aggregate_id, {type::kDeleted}, record));
  if (deleted) return std::optional<LoggedSubscription>();
  STELE_ASSIGN(const bool any, read_newest(view, aggregate_id, {}, record));
  if (!any) return unreadable;
  auto newest = parse_subscription_event(record);
  if (!newest) return unreadable;
  found.place = newest->place;

  STELE_ASSIGN(const bool defined, read_newest(view, aggregate_id, {type::kCreated, type::kChanged}, record));
  auto definition = defined ? parse_subscription_event(record) : std::nullopt;
  if (!definition || !definition->definition) return unreadable;
  found.definition = *std::move(definition->definition);

  STELE_ASSIGN(const bool created, read_newest(view, aggregate_id, {type::kCreated}, record));
  auto creation = created ? parse_subscription_event(record) : std::nullopt;
  if (!creation) return unreadable;
  found.key = SubscriptionKey{record.header().position.value()};
  found.definition.created = record.header().time;
  found.standing.since = record.header().time;
  found.begun = creation->from_now ? record.header().position.next() : creation->place.end;

  STELE_ASSIGN(const bool stood, read_newest(view, aggregate_id, {type::kStateChanged}, record));
  if (stood) {
    const auto changed = parse_subscription_event(record);
    if (!changed || !changed->standing) return unreadable;
    found.standing = *changed->standing;
    if (found.standing.since == Timestamp{}) found.standing.since = record.header().time;
  }
  STELE_ASSIGN(const bool sought, read_newest(view, aggregate_id, {type::kSought}, record));
  if (sought) {
    const auto seek = parse_subscription_event(record);
    if (!seek) return unreadable;
    found.begun = seek->place.end;
  }
  found.place.end = std::max(found.place.end, found.begun);
  return std::optional(std::move(found));
}

}  // namespace

RecordDraft subscription_draft(const SubscriptionDefinition& definition, std::string_view event_type,
                               const SubscriptionEventData& data, const Caller& by, const std::string& correlation,
                               const Clock& clock) {
  return own_event(aggregate_of(definition.id), std::string(kSubscriptionType), std::string(event_type), to_json(data),
                   by, correlation, clock);
}

std::variant<OwnEventPlace, Problem> append_subscription_event(Store& store, const SubscriptionDefinition& definition,
                                                               std::string_view event_type,
                                                               const SubscriptionEventData& data, const Caller& by,
                                                               const std::string& correlation, const Clock& clock) {
  return append_own_event(store, subscription_draft(definition, event_type, data, by, correlation, clock));
}

Result<LoggedSubscriptions> read_logged_subscriptions(const ReadView& view) {
  constexpr std::size_t kAggregatesAtOnce = 256;
  LoggedSubscriptions found;
  AggregateQuery query;
  query.prefix = kSubscriptionPrefix;
  query.include_system = true;
  while (true) {
    STELE_ASSIGN(const AggregateList list, view.aggregates(query, kAggregatesAtOnce));
    for (const AggregateSummary& aggregate : list.found) {
      auto one = read_one(view, aggregate.aggregate_id);
      if (!one && one.error().kind != ErrorKind::Corrupt) return one.error();
      if (!one) {
        ++found.unreadable;
      } else if (*one) {
        found.all.push_back(**std::move(one));
      }
    }
    if (list.found.size() < kAggregatesAtOnce) return found;
    query.after = list.found.back().aggregate_id;
  }
}

namespace {

using DeadLetters = std::map<Position, DeadLetter>;

/// What a subscription has told of its own.
Status apply_dead_letters(const ReadView& view, const std::string& aggregate_id, DeadLetters& letters) {
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(events_of(aggregate_id, {type::kDeadLetters})));
  Record record;
  while (true) {
    STELE_ASSIGN(const bool more, events->next(record));
    if (!more) return {};
    const auto data = parse_subscription_event(record);
    if (!data) continue;
    for (const SubscriptionEventData::Added& added : data->added)
      letters.insert_or_assign(added.position, added.letter);
    for (const Position position : data->removed) letters.erase(position);
  }
}

}  // namespace

Result<std::map<Position, DeadLetter>> read_logged_dead_letters(const ReadView& view, std::string_view subscription_id,
                                                                const std::map<SubscriptionKey, DeliveryState>& kept) {
  struct Ancestor {
    std::string aggregate_id;
    SubscriptionKey key;
    Position begun;
  };
  std::vector<Ancestor> line;  // itself, what it has replaced, what that has replaced …
  Record record;
  for (std::optional<std::string> id(subscription_id); id;) {
    const std::string aggregate_id = aggregate_of(*id);
    STELE_ASSIGN(const bool created, read_newest(view, aggregate_id, {type::kCreated}, record));
    const auto creation = created ? parse_subscription_event(record) : std::nullopt;
    if (!creation) break;
    const Position position = record.header().position;
    line.push_back(
        {aggregate_id, SubscriptionKey{position.value()}, creation->from_now ? position.next() : creation->place.end});
    id = creation->replaces;
  }
  DeadLetters letters;
  for (auto at = line.rbegin(); at != line.rend(); ++at) {
    // What lies behind that it delivers itself.
    letters.erase(letters.lower_bound(at->begun), letters.end());
    STELE_TRY(apply_dead_letters(view, at->aggregate_id, letters));
    if (at + 1 == line.rend()) break;
    if (const auto state = kept.find(at->key); state != kept.end()) {
      letters.insert(state->second.dead_letters.begin(), state->second.dead_letters.end());
    }
  }
  return letters;
}

}  // namespace stele::api
