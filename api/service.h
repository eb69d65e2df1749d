#pragma once
// The way of every request from net to its endpoint: the Handler that net puts behind its sockets.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/access/key_watch.h"
#include "api/audit/action_recorder.h"
#include "api/audit/audit_endpoints.h"
#include "api/audit/checkpoint_endpoints.h"
#include "api/audit/checkpoint_keeper.h"
#include "api/audit/event_prover.h"
#include "api/audit/hold_endpoints.h"
#include "api/audit/legal_holds.h"
#include "api/audit/redaction_endpoints.h"
#include "api/audit/redaction_room.h"
#include "api/audit/retention_endpoints.h"
#include "api/audit/retention_policy.h"
#include "api/audit/retention_room.h"
#include "api/audit/tree_endpoints.h"
#include "api/audit/witnesses.h"
#include "api/bus/event_bus.h"
#include "api/endpoint/call.h"
#include "api/endpoint/endpoint_table.h"
#include "api/endpoint/options.h"
#include "api/events/event_endpoints.h"
#include "api/http/http.h"
#include "api/live/live_endpoints.h"
#include "api/operations/operations_endpoints.h"
#include "api/records/event_notes.h"
#include "api/replay/handler_endpoints.h"
#include "api/replay/replay_endpoints.h"
#include "api/replay/replay_room.h"
#include "api/replay/snapshot_endpoints.h"
#include "api/schemas/alias_endpoints.h"
#include "api/schemas/append_validator.h"
#include "api/schemas/schema_candidates.h"
#include "api/schemas/schema_endpoints.h"
#include "api/schemas/schema_registrar.h"
#include "api/schemas/schema_registry.h"
#include "api/subscriptions/dead_letter_endpoints.h"
#include "api/subscriptions/delivery_endpoints.h"
#include "api/subscriptions/delivery_records.h"
#include "api/subscriptions/pull_endpoints.h"
#include "api/subscriptions/subscription_endpoints.h"
#include "api/subscriptions/subscription_room.h"
#include "engine/live/event_hub.h"
#include "engine/store/store.h"

namespace stele::api {

class Service : public Handler {
 public:
  /// `store` and `scheduler` must outlive the service; the service must outlive its requests. Make it before traffic
  /// begins. Throws if what the store keeps about itself cannot be read.
  Service(Store& store, Scheduler& scheduler, ServiceOptions options);

  /// Only what the caller may send, to an endpoint that takes so much: strangers shall take no memory from callers.
  [[nodiscard]] bool wants_body(const Request& request, BodyTerms& terms) override;
  void handle(const Request& request, Reply reply) override;
  void complete(const Request& request, Response& response) const override;
  void note_refusal(int status) override;
  void note_reload(std::string_view what, bool is_done, std::string_view words) override;
  /// /readyz says no from here on, and requests that wait for a position are answered. Idempotent.
  void begin_shutdown() override;

  [[nodiscard]] const EndpointTable& endpoints() const { return endpoints_; }

 private:
  void record_keys();
  void record_deliveries();
  /// Null if the request is answered already.
  [[nodiscard]] const Endpoint* admit(Call& call, const RouteMatch& match) const;
  void run(const Endpoint& endpoint, const std::shared_ptr<Call>& call);
  /// What the subjects say on /readyz and /metrics.
  [[nodiscard]] SubjectReport report() const;

  Scheduler& scheduler_;
  EventNotes notes_;
  SchemaRegistry schemas_;
  const ServiceOptions options_;
  const std::unique_ptr<ActionRecorder> recorder_;  // begins first and ends last; null = nothing is recorded
  std::optional<KeyWatch> key_watch_;
  EventHub hub_;
  const std::unique_ptr<CheckpointKeeper> checkpoints_;  // null: nothing is signed
  const std::unique_ptr<Witnesses> witnesses_;           // null with it
  const std::unique_ptr<EventProver> prover_;            // the same
  CheckpointEndpoints checkpoint_endpoints_;
  TreeEndpoints tree_endpoints_;
  std::optional<EventBus> bus_;
  ReplayRoom replay_room_;
  ReplayEndpoints replays_;
  SnapshotEndpoints snapshots_;
  HandlerEndpoints handlers_;
  SchemaCandidates schema_candidates_;
  AppendValidator append_validator_;
  SchemaRegistrar schema_registrar_;
  SchemaEndpoints schema_endpoints_;
  AliasEndpoints alias_endpoints_;
  EventEndpoints events_;
  LiveEndpoints live_;
  SubscriptionRoom subscription_room_;
  std::optional<DeliveryRecords> delivery_records_;
  SubscriptionEndpoints subscriptions_;
  DeadLetterEndpoints dead_letters_;
  DeliveryEndpoints deliveries_;
  PullEndpoints pulls_;
  AuditEndpoints audit_;
  RedactionGate redaction_gate_;
  LegalHolds holds_;
  RetentionPolicy retention_policy_;
  RedactionRoom redaction_room_;
  RedactionEndpoints redactions_;
  HoldEndpoints hold_endpoints_;
  RetentionEndpoints retention_endpoints_;
  RetentionRoom retention_room_;
  OperationsEndpoints operations_;
  EndpointTable endpoints_;
};

}  // namespace stele::api
