#include "api/events/event_endpoints.h"

#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/events/aggregate_reads.h"
#include "api/events/event_reads.h"
#include "api/events/log_head.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

}  // namespace

EventEndpoints::EventEndpoints(Store& store, Scheduler& scheduler, const ServiceOptions& options, EventSchemas& schemas,
                               AppendListener on_append, EventProofs* proofs)
    : store_(store),
      scheduler_(scheduler),
      options_(options),
      appender_(store, scheduler, options, schemas, std::move(on_append), proofs),
      waiters_(PositionWaiters::attach(store.feed(), scheduler, options.min_position_waiters_max)) {}

std::vector<Endpoint> EventEndpoints::endpoints() {
  const EndpointLimits one;
  const EndpointLimits single{.query = QueryUse::Read};
  const EndpointLimits list{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  const EndpointLimits append{
      .body = BodyForm::Events, .body_bytes_max = options_.limits.body_bytes_max, .query = QueryUse::Read};
  return {
      {Method::Post, "/v1/events", Permission::Append, append, RunsOn::IoThread,
       [this](const CallPtr& call) { appender_.handle(call); }, audited_as("event.append"), &Appender::make_call},
      {Method::Get, "/v1/events", Permission::Read, list, RunsOn::IoThread,
       [this](const CallPtr& call) { list_of_events(call); }, audited_as("events.query")},
      {Method::Get, "/v1/events/{eventId}", Permission::Read, single, RunsOn::ReadPool,
       [this](const CallPtr& call) { one_event(*call); }, audited_as("event.show")},
      {Method::Get, "/v1/events/{eventId}/data", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { call->send(show_event_data(store_, call->caller(), call->parameter("eventId"))); },
       audited_as("event.data")},
      {Method::Get, "/v1/head", Permission::Read, one, RunsOn::IoThread,
       [this](const CallPtr& call) { call->send(show_log_head(store_)); }, audited_as("log.head")},
      {Method::Get, "/v1/aggregates", Permission::Read, list, RunsOn::IoThread,
       [this](const CallPtr& call) { list_of_aggregates(call); }, audited_as("aggregates.list")},
      {Method::Get, "/v1/aggregates/{aggregateId}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) {
         call->send(show_aggregate(store_, call->caller(), call->parameter("aggregateId")));
       },
       audited_as("aggregate.show")},
  };
}

void EventEndpoints::begin_shutdown() { waiters_->close(); }

void EventEndpoints::one_event(Call& call) {
  Parameters parameters(call.request().query(), {"schemaVersion"});
  const SchemaVersionChoice version = read_schema_version(parameters);
  if (const auto problem = parameters.problem()) return call.fail(*problem);
  call.send(show_event(store_, call.caller(), call.parameter("eventId"), version, options_.notes, call.request()));
}

void EventEndpoints::list_of_events(const CallPtr& call) {
  auto parsed = parse_event_list(call->request(), call->accepted(), options_.limits, store_.store_id(), options_.notes);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  if (!may_list(*call, std::get<EventListRequest>(parsed).query)) return;
  const auto min_position = std::get<EventListRequest>(parsed).min_position;
  auto list = [this, request = std::get<EventListRequest>(std::move(parsed))](const CallPtr& c) {
    c->send(list_events(store_, request, c->request(), options_));
  };
  if (!min_position || store_.durable_end() > *min_position) return run_on_read_pool(scheduler_, call, std::move(list));

  using Outcome = PositionWaiters::Outcome;
  const auto go_on = [this, call, list = std::move(list)](Outcome outcome) {
    answer_exceptions(*call, [&] {
      if (outcome == Outcome::Reached) return run_on_read_pool(scheduler_, call, list);
      call->fail(
          outcome == Outcome::TimedOut
              ? Problem("position-not-reached", "minPosition was not readable in time.").header("Retry-After", "1")
              : Problem("unavailable", "The server is shutting down.").header("Retry-After", "5"));
    });
  };
  if (!waiters_->wait(*min_position, options_.min_position_wait, go_on)) {
    call->fail(Problem("busy", "Too many requests wait for a position.").header("Retry-After", "1"));
  }
}

void EventEndpoints::list_of_aggregates(const CallPtr& call) {
  auto parsed = parse_aggregate_list(call->request(), call->accepted(), options_.limits, store_.store_id());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  if (!may_list(*call, std::get<AggregateListRequest>(parsed).query)) return;
  run_on_read_pool(scheduler_, call,
                   [this, request = std::get<AggregateListRequest>(std::move(parsed))](const CallPtr& c) {
                     c->send(list_aggregates(store_, request, c->request(), options_.read_limits));
                   });
}

}  // namespace stele::api
