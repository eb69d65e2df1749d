#include "api/service.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/access/authenticator.h"
#include "api/access/cors.h"
#include "api/http/problem.h"
#include "api/http/request_headers.h"
#include "api/json/json_writer.h"
#include "engine/base/check.h"
#include "engine/log/record.h"

namespace stele::api {

namespace {

/// What the audit trail calls a request to no endpoint.
const AuditedAction& refused_request() {
  static const AuditedAction& action = *audited_as("request.refused");
  return action;
}

const Endpoint* endpoint_of(const RouteMatch& match, Method method) {
  return match.route == nullptr ? nullptr : match.route->endpoint(method);
}

const Clock& clock_of(const ServiceOptions& options) {
  return options.clock != nullptr ? *options.clock : system_clock();
}

FileSystem& files_of(const ServiceOptions& options) {
  return options.checkpoints.files != nullptr ? *options.checkpoints.files : posix_file_system();
}

Response allowed(const std::string& methods) {
  Response response;
  response.status = 204;
  response.content_type = {};
  response.headers.emplace_back("Allow", methods);
  return response;
}

ServiceOptions with_notes(ServiceOptions options, EventNotes& notes, const EventUpcasts& upcasts) {
  notes.upcasts = &upcasts;
  options.notes = &notes;
  return options;
}

BreakerTold breaker_records(ActionRecorder* recorder) {
  if (recorder == nullptr) return {};
  return [recorder](const std::string& id, bool is_open) {
    recorder->record(*audited_as("subscription.breaker"), "subscription:" + id,
                     is_open ? R"({"open":true})" : R"({"open":false})");
  };
}

RedactionReach reach_of_redactions(ReplayRoom& replays, SubscriptionRoom& subscriptions, const LegalHolds& holds,
                                   const RetentionPolicy& retention, const ServiceOptions& options) {
  RedactionReach reach;
  reach.forget_states = [&replays](const RedactionOrder& order, Timestamp requested) -> RedactionReach::ForgetStates {
    if (order.is_of_retention()) return [] { return std::vector<std::string>{}; };  // nobody folds actions
    auto progress = std::make_shared<ReplayRoom::Forgetting>();
    return [&replays, id = order.aggregate_id, type = order.aggregate_type, requested, progress] {
      return replays.forget_states(id, type, requested, *progress);
    };
  };
  reach.forget_answers = [&subscriptions](std::span<const Position> events) { subscriptions.forget_answers(events); };
  reach.delivered_by = [&subscriptions](const RedactionOrder& order) {
    return subscriptions.concerned_with(order.aggregate_id, order.aggregate_type);
  };
  reach.redis_until = [shared = options.shared_states](Timestamp requested) -> std::optional<Timestamp> {
    if (shared == nullptr) return std::nullopt;
    return Timestamp{requested.micros + std::chrono::microseconds(shared->time_to_live()).count()};
  };
  reach.kept = [&holds, &retention, &clock = clock_of(options)](const RedactionOrder& order) {
    const RetentionTimes times = order.is_of_retention() ? retention.effective() : retention.against_request();
    return KeptRecords(holds.all(), order, times, clock.now());
  };
  return reach;
}

}  // namespace

Service::Service(Store& store, Scheduler& scheduler, ServiceOptions options)
    : scheduler_(scheduler),
      schemas_(store, &notes_.aliases, {options.scripts, options.replay.call_time}),
      options_(with_notes(std::move(options), notes_, schemas_)),
      recorder_(options_.audit ? std::make_unique<ActionRecorder>(store, *options_.audit, options_.clock) : nullptr),
      hub_(store, {.queue_bytes_max = options_.live.buffer_bytes_max}),
      checkpoints_(options_.checkpoints.keys_folder.empty()
                       ? nullptr
                       : std::make_unique<CheckpointKeeper>(store, options_.checkpoints, clock_of(options_))),
      witnesses_(checkpoints_ == nullptr
                     ? nullptr
                     : std::make_unique<Witnesses>(store, *checkpoints_, options_.witness_sender, options_.redis,
                                                   options_.witnesses, files_of(options_), clock_of(options_))),
      prover_(checkpoints_ == nullptr
                  ? nullptr
                  : std::make_unique<EventProver>(store, *checkpoints_, scheduler, options_.min_position_waiters_max)),
      checkpoint_endpoints_(store, scheduler, checkpoints_.get(), witnesses_.get(), prover_.get(), options_),
      tree_endpoints_(store, checkpoints_.get(), options_),
      replay_room_(store, options_),
      replays_(replay_room_),
      snapshots_(replay_room_),
      handlers_(replay_room_),
      schema_candidates_(store, schemas_, clock_of(options_)),
      append_validator_(store, schemas_),
      schema_registrar_(store, schemas_, schema_candidates_, clock_of(options_),
                        options_.limits.schema_comparison_work),
      schema_endpoints_(store, schemas_, schema_candidates_, schema_registrar_),
      alias_endpoints_(schemas_, schema_registrar_),
      events_(
          store, scheduler, options_, append_validator_,
          [this](const Proposal& proposal, const AppendOutcome& stored) {
            replay_room_.snapshotter.appended(proposal, stored);
          },
          prover_.get()),
      live_(store, hub_, options_),
      subscription_room_(store, hub_, scheduler, options_, breaker_records(recorder_.get())),
      subscriptions_(subscription_room_, store),
      dead_letters_(subscription_room_, store, options_),
      deliveries_(subscription_room_, store),
      pulls_(subscription_room_, scheduler, options_),
      audit_(store, scheduler, options_),
      holds_(store, redaction_gate_, clock_of(options_)),
      retention_policy_(store, redaction_gate_, clock_of(options_), options_.retention.minimum),
      redaction_room_(store, notes_.redactions, redaction_gate_, clock_of(options_),
                      reach_of_redactions(replay_room_, subscription_room_, holds_, retention_policy_, options_)),
      redactions_(redaction_room_, store),
      hold_endpoints_(holds_, redaction_room_),
      retention_endpoints_(retention_policy_, redaction_room_),
      retention_room_(store, redaction_room_, retention_policy_, redaction_gate_, options_.retention,
                      clock_of(options_)),
      operations_(store, scheduler, options_, [this] { return report(); }) {
  STELE_CHECK(options_.limits.string_bytes_max <= kStringBytesMax);
  notes_.aliases.on_change([this] { subscription_room_.aliases_changed(); });
  if (recorder_) record_deliveries();
  if (recorder_ && options_.authenticator) record_keys();
  if (options_.bus != nullptr) bus_.emplace(store, hub_, *options_.bus, &notes_);
  endpoints_.add(checkpoint_endpoints_.endpoints());
  endpoints_.add(tree_endpoints_.endpoints());
  endpoints_.add(events_.endpoints());
  endpoints_.add(replays_.endpoints());
  endpoints_.add(snapshots_.endpoints());
  endpoints_.add(handlers_.endpoints());
  endpoints_.add(schema_endpoints_.endpoints());
  endpoints_.add(alias_endpoints_.endpoints());
  endpoints_.add(live_.endpoints());
  endpoints_.add(subscriptions_.endpoints());
  endpoints_.add(dead_letters_.endpoints());
  endpoints_.add(deliveries_.endpoints());
  endpoints_.add(pulls_.endpoints());
  endpoints_.add(audit_.endpoints());
  endpoints_.add(redactions_.endpoints());
  endpoints_.add(hold_endpoints_.endpoints());
  endpoints_.add(retention_endpoints_.endpoints());
  endpoints_.add(operations_.endpoints());
}

void Service::record_keys() {
  const auto told = [this](KeyFileNews news) {
    using Kind = KeyFileNews::Kind;
    recorder_->record(*audited_as(news.kind == Kind::Read ? "access.keys-read" : "access.keys-changed"),
                      std::string("access:").append(news.file), std::move(news.details),
                      news.kind == Kind::Unusable ? ActionOutcome::Failed : ActionOutcome::Done);
  };
  key_watch_.emplace(*options_.authenticator, told, options_.audit->look_interval);
}

void Service::record_deliveries() {
  delivery_records_.emplace(
      subscription_room_,
      [this](const std::string& id, std::string details) {
        recorder_->record(*audited_as("subscription.deliveries"), "subscription:" + id, std::move(details));
      },
      clock_of(options_), options_.audit->look_interval);
}

SubjectReport Service::report() const {
  SubjectReport all = replay_room_.report();
  const auto add = [&](SubjectReport more) {
    std::move(more.warnings.begin(), more.warnings.end(), std::back_inserter(all.warnings));
    std::move(more.members.begin(), more.members.end(), std::back_inserter(all.members));
    std::move(more.metrics.begin(), more.metrics.end(), std::back_inserter(all.metrics));
  };
  if (recorder_) add(recorder_->report());
  add(schema_endpoints_.report());
  add(live_.report());
  add(subscription_room_.report());
  add(tree_endpoints_.report());
  add(retention_room_.report());
  if (bus_) add(bus_->report());
  if (checkpoints_) add(checkpoints_->report());
  if (witnesses_) add(witnesses_->report());
  return all;
}

bool Service::wants_body(const Request& request, BodyTerms& terms) {
  const Endpoint* const endpoint = endpoint_of(endpoints_.find(request.path()), request.method());
  if (endpoint == nullptr || endpoint->limits.body == BodyForm::None) return false;
  if (!options_.host_guard.admits(request.authority())) return false;
  // How much a compressed body holds is seen when it is decompressed.
  if (request.header("Content-Encoding").empty()) {
    if (request.announced_body_bytes() > endpoint->limits.body_bytes_max) return false;
    terms.bytes_max = endpoint->limits.body_bytes_max;
  }
  if (!options_.authenticator) return true;
  const auto principal = options_.authenticator->granted(request, endpoint->permission);
  if (principal != nullptr) terms.payer = principal->name;
  return principal != nullptr;
}

void Service::complete(const Request& request, Response& response) const {
  const std::vector<std::string>& origins = options_.cors_origins;
  std::string_view origin = request.header("Origin");
  // Not read, perhaps: then the only one that there can be, or "*" itself, is right for whoever sent it.
  if (origin.empty() && origins.size() == 1) origin = origins.front();
  add_cors(origins, origin, request.method() == Method::Options ? endpoints_.methods() : std::string_view{}, response);
}

void Service::note_refusal(int status) {
  if (!recorder_) return;
  // From no address, so that those of all are one record, as are the refusals of strangers.
  recorder_->note({.action = &refused_request(), .outcome = outcome_of_status(status), .status = status});
}

void Service::note_reload(std::string_view what, bool is_done, std::string_view words) {
  if (!recorder_) return;
  std::string details;
  JsonWriter json(details);
  // Who reads the trail need not know where files lie.
  json.begin_object()
      .key(is_done ? "now" : "error")
      .string(printable(is_done ? std::string(words) : without_paths(words)));
  json.end_object();
  recorder_->record(*audited_as("server.reload"), std::string("server:").append(what), std::move(details),
                    is_done ? ActionOutcome::Done : ActionOutcome::Failed);
}

void Service::handle(const Request& request, Reply reply) {
  const RouteMatch match = endpoints_.find(request.path());
  const Endpoint* const named = endpoint_of(match, request.method());
  const auto call = named != nullptr && named->make_call != nullptr
                        ? named->make_call(request, std::move(reply), options_)
                        : std::make_shared<Call>(request, std::move(reply), options_);
  if (recorder_ && (named == nullptr || named->action != nullptr)) {
    call->audit(*recorder_, named == nullptr ? refused_request() : *named->action);
  }
  answer_exceptions(*call, [&] {
    if (const Endpoint* const endpoint = admit(*call, match)) run(*endpoint, call);
  });
}

void Service::begin_shutdown() {
  operations_.begin_shutdown();
  replay_room_.snapshotter.begin_stop();
  events_.begin_shutdown();
  if (prover_) prover_->begin_shutdown();
  subscription_room_.begin_shutdown();
  redaction_room_.begin_shutdown();
  retention_room_.begin_shutdown();
  schema_candidates_.begin_shutdown();
}

const Endpoint* Service::admit(Call& call, const RouteMatch& match) const {
  const Request& request = call.request();
  const Method method = request.method();
  const auto refuse = [&](const Problem& problem) {
    call.fail(problem);
    return nullptr;
  };
  if (method == Method::Options) call.offer(endpoints_.methods());
  if (!options_.host_guard.admits(request.authority())) {
    return refuse(
        Problem("misdirected-request",
                "This server answers to addresses, to localhost and to the names that its flag --host lists."));
  }
  auto correlation = correlation_of(request);
  if (auto* error = std::get_if<FieldError>(&correlation)) {
    return refuse(Problem("invalid-header", "X-Correlation-Id: " + error->detail).error(*error));
  }
  call.correlate(std::get<std::string>(std::move(correlation)));

  if (method == Method::Options && request.path() == "*") {
    call.send(allowed(endpoints_.methods()));
    return nullptr;
  }
  if (match.route == nullptr) {
    return refuse(Problem("not-found",
                          "There is nothing at this path. /openapi.json lists what there is; a slash in an id "
                          "is written %2F."));
  }
  if (!call.take(match)) return nullptr;
  const Route& route = *match.route;
  if (method == Method::Options) {
    call.send(allowed(route.allow));
    return nullptr;
  }
  const Endpoint* const endpoint = route.endpoint(method);
  if (endpoint == nullptr) {
    return refuse(
        Problem("method-not-allowed", "This resource has: " + route.allow + ".").header("Allow", route.allow));
  }
  if (!call.admit(endpoint->permission) || !call.bound(endpoint->limits)) return nullptr;
  if (recorder_ && endpoint->action != nullptr && !recorder_->may_serve(*endpoint->action)) {
    return refuse(Problem("audit-unavailable", "What is done cannot be recorded now, so it is not done.")
                      .header("Retry-After", "1"));
  }
  return endpoint;
}

void Service::run(const Endpoint& endpoint, const std::shared_ptr<Call>& call) {
  switch (endpoint.runs_on) {
    case RunsOn::IoThread:
      return endpoint.handler(call);
    case RunsOn::ReadPool:
      return run_on_read_pool(scheduler_, call, endpoint.handler);
    case RunsOn::ReadPoolIfFree:
      if (!try_on_read_pool(scheduler_, call, endpoint.handler)) endpoint.handler(call);
      return;
  }
}

}  // namespace stele::api
