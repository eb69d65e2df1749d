#include "api/endpoint/audited_action.h"

#include <algorithm>
#include <array>

#include "engine/base/check.h"
#include "engine/index/event_filter.h"

namespace stele::api {

namespace {

constexpr std::string_view kAppend = "event.append";

using enum ActionClass;
constexpr DoneAs kAction = DoneAs::Action;
constexpr DoneAs kEvent = DoneAs::Event;
constexpr DoneAs kCounted = DoneAs::Counted;

constexpr std::array kActions{
    AuditedAction{"access.keys-changed", Administration, kAction, false,
                  "keys that callers are known by were added, removed or changed; failed: their file cannot be used"},
    AuditedAction{"access.keys-read", Administration, kAction, false,
                  "keys that callers are known by, as a server has found them at its start"},
    AuditedAction{"aggregate.redact", Administration, kEvent, false, "bodies of an aggregate's events removed"},
    AuditedAction{"aggregate.replay", Read, kAction, false,
                  "an aggregate folded into a state, perhaps one of the past"},
    AuditedAction{"aggregate.show", Read, kAction, false, "what is known of an aggregate"},
    AuditedAction{"aggregate.state", Read, kAction, false, "the newest state of an aggregate"},
    AuditedAction{"aggregates.list", Read, kAction, false, "a list of aggregates"},
    AuditedAction{"alias.remove", Administration, kEvent, false, "an event type shown under the name that it has"},
    AuditedAction{"alias.set", Administration, kEvent, false, "an event type shown under another name"},
    AuditedAction{"alias.show", Read, kAction, false, "the name that an event type is shown under"},
    AuditedAction{"aliases.list", Read, kAction, false, "a list of aliases of event types"},
    AuditedAction{"audit.beyond", Read, kAction, false,
                  "calls of many kinds in one record, because there were too many in a second for a record each"},
    AuditedAction{"audit.consistency", Read, kAction, true, "a proof that one state of the log continues another"},
    AuditedAction{"audit.inclusion", Read, kAction, true, "a proof that a record is in the log"},
    AuditedAction{"audit.lost", Administration, kAction, false, "calls that could not be recorded: how many, and when"},
    AuditedAction{"audit.search", Read, kAction, true, "a search in the audit trail"},
    AuditedAction{"auth.denied", Refusal, kAction, false,
                  "requests without good credentials, whatever they asked for; one record a second"},
    AuditedAction{"dead-letter.drop", Administration, kAction, false, "a dead letter forgotten"},
    AuditedAction{"dead-letters.list", Read, kAction, false, "a list of what a subscription has given up"},
    AuditedAction{"dead-letters.redrive", Administration, kAction, false, "dead letters delivered again"},
    AuditedAction{"deliveries.list", Read, kAction, false, "the newest attempts of a subscription"},
    AuditedAction{kAppend, Administration, kEvent, false, "events of clients; refused and failed appends"},
    AuditedAction{"event.data", Read, kAction, false, "the exact data of an event"},
    AuditedAction{"event.deliveries", Read, kAction, false, "where an event stands with each subscription"},
    AuditedAction{"event.proof", Read, kAction, true, "a proof that an event is in the log"},
    AuditedAction{"event.redact", Administration, kEvent, false, "the body of an event removed"},
    AuditedAction{"event.show", Read, kAction, false, "one event"},
    AuditedAction{"events.query", Read, kAction, false, "a list of events"},
    AuditedAction{"events.stream", Read, kAction, false, "a live stream of events was begun"},
    AuditedAction{"handler.check", Administration, kEvent, false, "what checking a handler for purity has shown"},
    AuditedAction{"handler.register", Administration, kEvent, false, "a version of a handler"},
    AuditedAction{"handler.show", Read, kAction, false, "a handler, or a version of it"},
    AuditedAction{"handlers.list", Read, kAction, false, "a list of handlers"},
    AuditedAction{"hold.place", Administration, kEvent, false, "a legal hold: what is under it is not redacted"},
    AuditedAction{"hold.release", Administration, kEvent, false, "a legal hold released"},
    AuditedAction{"hold.show", Read, kAction, true, "a legal hold"},
    AuditedAction{"holds.list", Read, kAction, true, "a list of legal holds"},
    AuditedAction{"key.add", Administration, kEvent, false, "a key that signs checkpoints"},
    AuditedAction{"key.retire", Administration, kEvent, false, "a key that signs no more"},
    AuditedAction{"log.begin", Administration, kEvent, false, "the first record of a log: who it is"},
    AuditedAction{"log.checkpoint", Read, kAction, true, "the newest signed checkpoint"},
    AuditedAction{"log.entries", Read, kAction, true, "leaves of the tree, as auditors read them"},
    AuditedAction{"log.head", Read, kAction, false, "how far the log has come"},
    AuditedAction{"log.keys", Read, kAction, true, "the keys that sign checkpoints"},
    AuditedAction{"log.tile", Read, kAction, true, "hashes of the tree"},
    AuditedAction{"redaction.complete", Administration, kEvent, false,
                  "bodies are removed, as far as the server reaches"},
    AuditedAction{"redaction.request", Administration, kEvent, false, "bodies are to be removed, and why"},
    AuditedAction{"redaction.show", Read, kAction, true, "how far a redaction has come"},
    AuditedAction{"request.refused", Refusal, kAction, false,
                  "a request to no endpoint, or refused before one was found"},
    AuditedAction{"retention.set", Administration, kEvent, false, "how long bodies of actions are kept"},
    AuditedAction{"retention.show", Read, kAction, true, "how long bodies of actions are kept"},
    AuditedAction{"schema.activate", Administration, kEvent, false,
                  "a version of a schema that events may have which name none"},
    AuditedAction{"schema.candidate", Administration, kEvent, false,
                  "a version of a schema that is held against stored events before it is registered"},
    AuditedAction{"schema.check", Administration, kAction, false,
                  "a schema held against the stored events of its type, without registering it"},
    AuditedAction{"schema.configure", Administration, kEvent, false, "what versions of a schema must be to each other"},
    AuditedAction{"schema.drop-candidate", Administration, kEvent, false,
                  "a version of a schema that was not registered: refused, cancelled or given up"},
    AuditedAction{"schema.register", Administration, kEvent, false, "a version of a schema"},
    AuditedAction{"schema.show", Read, kAction, false,
                  "the versions of a schema, one of them, one that is being registered, or what they must be"},
    AuditedAction{"schema.withdraw", Administration, kEvent, false, "a version of a schema withdrawn"},
    AuditedAction{"schemas.list", Read, kAction, false, "a list of schemas"},
    AuditedAction{"server.reload", Administration, kAction, false,
                  "TLS files were read, or the access log opened, again; failed: what there was goes on"},
    AuditedAction{"server.start", Administration, kAction, false,
                  "a server began to serve the store; with its settings"},
    AuditedAction{"server.stop", Administration, kAction, false, "a server ended in good order"},
    AuditedAction{"snapshot-policies.list", Read, kAction, true, "how often snapshots are taken"},
    AuditedAction{"snapshot-policy.remove", Administration, kEvent, false, "the policy of an aggregate type removed"},
    AuditedAction{"snapshot-policy.set", Administration, kEvent, false, "the policy of an aggregate type"},
    AuditedAction{"snapshot-policy.show", Read, kAction, true, "the policy of an aggregate type"},
    AuditedAction{"snapshot.create", Administration, kAction, false, "a snapshot was asked for"},
    AuditedAction{"snapshot.show", Read, kAction, false, "a snapshot of an aggregate"},
    AuditedAction{"snapshot.store", Administration, kEvent, false, "a state that a client has folded itself"},
    AuditedAction{"stream.continue", Read, kAction, false,
                  "a live stream goes on; once an hour, with what it has shown since"},
    AuditedAction{"stream.end", Read, kAction, false,
                  "a live stream has ended; with what it has shown since the last record"},
    AuditedAction{"subscription.breaker", Delivery, kAction, false,
                  "a receiver counts as out of order and is tried now and then only, or no more"},
    AuditedAction{"subscription.checkpoint", Delivery, kEvent, false, "how far a subscription has come"},
    AuditedAction{"subscription.create", Administration, kEvent, false, "a subscription"},
    AuditedAction{"subscription.dead-letters", Delivery, kEvent, false,
                  "events that a subscription has given up, or not any more"},
    AuditedAction{"subscription.delete", Administration, kEvent, false, "a subscription deleted"},
    AuditedAction{"subscription.deliveries", Delivery, kAction, false,
                  "what a subscription has delivered within an hour"},
    AuditedAction{"subscription.pause", Administration, kEvent, false,
                  "refused and failed; what is done is subscription.state"},
    AuditedAction{"subscription.pull", Delivery, kCounted, false, "refused and failed pulls and answers to them"},
    AuditedAction{"subscription.resume", Administration, kEvent, false,
                  "refused and failed; what is done is subscription.state"},
    AuditedAction{"subscription.rotate-secret", Administration, kEvent, false, "a new secret of a subscription"},
    AuditedAction{"subscription.seek", Administration, kEvent, false, "a subscription begins elsewhere"},
    AuditedAction{"subscription.show", Read, kAction, false, "a subscription"},
    AuditedAction{"subscription.state", Delivery, kEvent, false,
                  "a subscription goes on, is paused, has stopped or is disabled"},
    AuditedAction{"subscription.test", Administration, kAction, false, "a message sent to try a webhook"},
    AuditedAction{"subscription.update", Administration, kEvent, false, "a subscription changed"},
    AuditedAction{"subscriptions.list", Read, kAction, false, "a list of subscriptions"},
};

constexpr std::array kOwnEvents{
    OwnEventAction{"$EventTypeAliased", "alias.set"},
    OwnEventAction{"$EventTypeUnaliased", "alias.remove"},
    OwnEventAction{"$HandlerPurityChecked", "handler.check"},
    OwnEventAction{"$HandlerRegistered", "handler.register"},
    OwnEventAction{"$HoldPlaced", "hold.place"},
    OwnEventAction{"$HoldReleased", "hold.release"},
    OwnEventAction{"$KeyAdded", "key.add"},
    OwnEventAction{"$KeyRetired", "key.retire"},
    OwnEventAction{"$RedactionCompleted", "redaction.complete"},
    OwnEventAction{"$RedactionRequested", "redaction.request"},
    OwnEventAction{"$RetentionSet", "retention.set"},
    OwnEventAction{"$SchemaActivated", "schema.activate"},
    OwnEventAction{"$SchemaCandidate", "schema.candidate"},
    OwnEventAction{"$SchemaCandidateDropped", "schema.drop-candidate"},
    OwnEventAction{"$SchemaConfigured", "schema.configure"},
    OwnEventAction{"$SchemaRegistered", "schema.register"},
    OwnEventAction{"$SchemaWithdrawn", "schema.withdraw"},
    OwnEventAction{"$SnapshotPolicyRemoved", "snapshot-policy.remove"},
    OwnEventAction{"$SnapshotPolicySet", "snapshot-policy.set"},
    OwnEventAction{"$StateStored", "snapshot.store"},
    OwnEventAction{"$SubscriptionChanged", "subscription.update"},
    OwnEventAction{"$SubscriptionCheckpoint", "subscription.checkpoint"},
    OwnEventAction{"$SubscriptionCreated", "subscription.create"},
    OwnEventAction{"$SubscriptionDeadLetters", "subscription.dead-letters"},
    OwnEventAction{"$SubscriptionDeleted", "subscription.delete"},
    OwnEventAction{"$SubscriptionSecretRotated", "subscription.rotate-secret"},
    OwnEventAction{"$SubscriptionSought", "subscription.seek"},
    OwnEventAction{"$SubscriptionStateChanged", "subscription.state"},
    OwnEventAction{"$genesis", "log.begin"},
};

}  // namespace

std::string_view name_of(ActionClass retention) {
  switch (retention) {
    case Read:
      return "read";
    case Refusal:
      return "refusal";
    case Administration:
      return "administration";
    case Delivery:
      break;
  }
  return "delivery";
}

std::optional<ActionClass> action_class_of(std::string_view name) {
  for (const ActionClass each : kActionClasses) {
    if (name_of(each) == name) return each;
  }
  return std::nullopt;
}

std::span<const AuditedAction> audited_actions() { return kActions; }

const AuditedAction* find_action(std::string_view name) {
  const auto found = std::lower_bound(kActions.begin(), kActions.end(), name,
                                      [](const AuditedAction& a, std::string_view wanted) { return a.name < wanted; });
  return found == kActions.end() || found->name != name ? nullptr : &*found;
}

const AuditedAction* audited_as(std::string_view name) {
  const AuditedAction* const found = find_action(name);
  STELE_CHECK(found != nullptr);
  return found;
}

std::span<const OwnEventAction> own_event_actions() { return kOwnEvents; }

std::string_view action_name(const RecordHeader& header) {
  if (header.kind == RecordKind::Action) return header.event_type;
  if (!is_system(header)) return kAppend;
  const auto found =
      std::lower_bound(kOwnEvents.begin(), kOwnEvents.end(), header.event_type,
                       [](const OwnEventAction& own, std::string_view wanted) { return own.event_type < wanted; });
  return found == kOwnEvents.end() || found->event_type != header.event_type ? header.event_type : found->action;
}

std::string resource_name(const RecordHeader& header) {
  if (header.kind == RecordKind::Action) return std::string(header.resource.value_or(std::string_view{}));
  if (!header.aggregate_id.starts_with('$')) return std::string(kAggregateResource) += header.aggregate_id;
  std::string name(header.aggregate_id.substr(1));
  if (const std::size_t slash = name.find('/'); slash != std::string::npos) name[slash] = ':';
  return name;
}

}  // namespace stele::api
