#include "api/service.h"

#include <iterator>
#include <utility>

#include "api/access/authenticator.h"
#include "api/access/cors.h"
#include "api/events/aggregate_reads.h"
#include "api/events/event_reads.h"
#include "api/http/base64.h"
#include "api/http/negotiation.h"
#include "api/http/parameters.h"
#include "api/http/request_headers.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/operations/metrics_page.h"
#include "api/operations/openapi.h"
#include "engine/base/digest.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kEventsPath = "/v1/events";

bool is_append(const Request& request) { return request.method() == Method::Post && request.path() == kEventsPath; }

void answer(Call& call, std::variant<Response, Problem> result) {
  if (auto* response = std::get_if<Response>(&result)) {
    call.send(std::move(*response));
  } else {
    call.fail(std::get<Problem>(result));
  }
}

Response json_response(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

void strings(JsonWriter& json, const std::vector<std::string>& texts) {
  json.begin_array();
  for (const std::string& text : texts) json.string(printable(without_paths(text)));
  json.end_array();
}

template <class Write>
std::string object(Write write) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  write(json);
  json.end_object();
  return text;
}

/// Narrows a query to what the caller may see; answers and gives false if it may not ask this at all.
template <class Query>
bool may_list(const std::shared_ptr<Call>& call, Query& query) {
  const Caller& caller = call->caller();
  if (query.include_system && !caller.may(Permission::Audit)) {
    call->fail(insufficient_role(caller, "includeSystem")
                   .error({"parameter", "includeSystem", "Needs the role auditor or admin.", {}}));
    return false;
  }
  caller.restrict(query);
  return true;
}

std::string recovery_json(const RecoveryReport& report) {
  return object([&](JsonWriter& json) {
    json.key("tailCase").string(report.tail_case);
    json.key("segments").number(report.segments);
    json.key("records").number(report.records);
    json.key("indexRuns").number(report.index_runs);
    json.key("replayedRecords").number(report.replayed);
    json.key("cutBytes").number(report.cut_bytes);
    json.key("rewrittenBytes").number(report.rewritten_bytes);
    json.key("notes");
    strings(json, report.notes);
  });
}

}  // namespace

Service::Service(Store& store, Scheduler& scheduler, ServiceOptions options)
    : store_(store),
      scheduler_(scheduler),
      options_(std::move(options)),
      appender_(store, scheduler, options_),
      waiters_(PositionWaiters::attach(store, scheduler, options_.min_position_waiters_max)) {
  STELE_CHECK(options_.limits.string_bytes_max <= kStringBytesMax);
}

bool Service::wants_body(const Request& request, std::string& payer) {
  if (!is_append(request) || !options_.host_guard.admits(request.authority())) return false;
  if (!options_.authenticator) return true;
  const auto principal = options_.authenticator->granted(request, route_of(Resource::Events).append);
  if (principal != nullptr) payer = principal->name;
  return principal != nullptr;
}

void Service::complete(const Request& request, Response& response) const {
  const std::vector<std::string>& origins = options_.cors_origins;
  std::string_view origin = request.header("Origin");
  // Not read, perhaps: then the only one that there can be, or "*" itself, is right for whoever sent it.
  if (origin.empty() && origins.size() == 1) origin = origins.front();
  add_cors(origins, origin, request.method(), response);
}

void Service::handle(const Request& request, Reply reply) {
  if (!options_.host_guard.admits(request.authority())) {
    Call call(request, std::move(reply), options_);
    answer_exceptions(call, [&] {
      call.fail(Problem("misdirected-request",
                        "This server answers to addresses, to localhost and to the names that its flag --host lists."));
    });
    return;
  }
  if (is_append(request)) {
    appender_.handle(request, std::move(reply));
    return;
  }
  const auto call = std::make_shared<Call>(request, std::move(reply), options_);
  answer_exceptions(*call, [&] { dispatch(call); });
}

void Service::begin_shutdown() {
  shutting_down_.store(true);
  waiters_->close();
}

void Service::dispatch(const std::shared_ptr<Call>& call) {
  const Request& request = call->request();
  auto correlation = correlation_of(request);
  if (auto* error = std::get_if<FieldError>(&correlation)) {
    return call->fail(Problem("invalid-header", "X-Correlation-Id: " + error->detail).error(*error));
  }
  call->correlate(std::get<std::string>(std::move(correlation)));

  const Method method = request.method();
  if (method == Method::Options && request.path() == "*") {
    Response response;
    response.status = 204;
    response.content_type = {};
    response.headers.emplace_back("Allow", "GET, HEAD, POST, OPTIONS");
    return call->send(std::move(response));
  }
  const auto found = find_route(request.path());
  if (const auto* fault = std::get_if<RouteError>(&found)) {
    return call->fail(
        *fault == RouteError::BadEncoding
            ? Problem("invalid-path", "The percent-encoding of the path is broken or does not give UTF-8.")
            : Problem("not-found",
                      "There is nothing at this path. /openapi.json lists what there is; a slash in an id "
                      "is written %2F."));
  }
  const auto& match = std::get<RouteMatch>(found);
  call->at(*match.route);
  if (!allows(*match.route, method)) {
    return call->fail(Problem("method-not-allowed", "This resource has: " + std::string(match.route->allow) + ".")
                          .header("Allow", std::string(match.route->allow)));
  }
  if (method == Method::Options) {
    Response response;
    response.status = 204;
    response.content_type = {};
    response.headers.emplace_back("Allow", std::string(match.route->allow));
    return call->send(std::move(response));
  }
  if (!call->admit(needed_for(*match.route, method))) return;
  route(call, match);
}

void Service::route(const std::shared_ptr<Call>& call, const RouteMatch& match) {
  const Request& request = call->request();
  const Resource resource = match.route->resource;
  if (resource == Resource::Events) return events(call);
  if (resource == Resource::Aggregates) return aggregates(call);
  // Probes add what they like to their requests, and must not fail for it.
  if (resource == Resource::Health) return call->send(json_response(R"({"status":"ok"})"));
  if (resource == Resource::Ready) return call->send(ready(request.path()));
  if (resource == Resource::Metrics) {
    // Answered even if the pool is full: that is when it is needed.
    if (!scheduler_.run_on_read_pool([this, call] { answer_exceptions(*call, [&] { call->send(metrics()); }); })) {
      call->send(metrics());
    }
    return;
  }

  if (!accepted_form(request.header("Accept"), false)) {
    return call->fail(Problem("not-acceptable", "This resource is application/json."));
  }
  if (!request.query().empty()) {
    if (const auto problem = Parameters(request.query(), {}).problem()) return call->fail(*problem);
  }
  switch (resource) {
    case Resource::Event:
      return run_on_read_pool(scheduler_, call,
                              [this, id = match.parameter](Call& c) { answer(c, show_event(store_, c.caller(), id)); });
    case Resource::EventData:
      return run_on_read_pool(scheduler_, call, [this, id = match.parameter](Call& c) {
        answer(c, show_event_data(store_, c.caller(), id));
      });
    case Resource::Aggregate:
      return run_on_read_pool(scheduler_, call, [this, id = match.parameter](Call& c) {
        answer(c, show_aggregate(store_, c.caller(), id));
      });
    case Resource::Head:
      return call->send(head());
    case Resource::OpenApi:
      // Long enough for compressing it to take time.
      return run_on_read_pool(scheduler_, call, [](Call& c) { c.send(json_response(std::string(openapi_json()))); });
    case Resource::Problems:
      return call->send(json_response(describe_problem_kinds()));
    case Resource::Problem: {
      const ProblemKind* kind = find_problem_kind(match.parameter);
      if (kind == nullptr)
        return call->fail(Problem("not-found", "There is no problem of this name; /problems lists all."));
      return call->send(json_response(describe(*kind)));
    }
    default:
      return call->fail(Problem("not-found", "There is nothing at this path."));
  }
}

void Service::events(const std::shared_ptr<Call>& call) {
  auto parsed = parse_event_list(call->request(), options_.limits, store_.store_id());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  if (!may_list(call, std::get<EventListRequest>(parsed).query)) return;
  const auto min_position = std::get<EventListRequest>(parsed).min_position;
  auto list = [this, request = std::get<EventListRequest>(std::move(parsed))](Call& c) {
    answer(c, list_events(store_, request, c.request(), options_.read_limits));
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

void Service::aggregates(const std::shared_ptr<Call>& call) {
  auto parsed = parse_aggregate_list(call->request(), options_.limits, store_.store_id());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  if (!may_list(call, std::get<AggregateListRequest>(parsed).query)) return;
  run_on_read_pool(scheduler_, call, [this, request = std::get<AggregateListRequest>(std::move(parsed))](Call& c) {
    answer(c, list_aggregates(store_, request, c.request(), options_.read_limits));
  });
}

Response Service::head() const {
  const LogHead head = store_.head();
  return json_response(object([&](JsonWriter& json) {
    json.key("position");
    head.size > 0 ? json.number(head.size - 1) : json.null();
    json.key("size").number(head.size);
    json.key("timestamp");
    head.size > 0 ? json.plain(format_timestamp(head.last_time)) : json.null();
    json.key("root").plain(base64_encode(as_bytes(head.root)));
    json.key("storeId").plain(to_string(store_.store_id()));
    json.key("origin").string(printable(store_.origin()));
  }));
}

std::vector<std::string> Service::warnings(const StoreHealth& health) const {
  std::vector<std::string> all = health.warnings;
  const auto add = [&](std::vector<std::string> more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (options_.authenticator) add(options_.authenticator->warnings());
  if (options_.certificates) {
    const Clock& clock = options_.clock ? *options_.clock : system_clock();
    add(certificate_warnings(options_.certificates(), clock.now()));
  }
  return all;
}

Response Service::metrics() const {
  static const TrafficMetrics none;
  const StoreHealth health = store_.health();
  Response response;
  response.content_type = kMetricsType;
  response.body =
      metrics_page({.store = store_,
                    .health = health,
                    .warnings = warnings(health).size(),
                    .traffic = options_.traffic ? *options_.traffic : none,
                    .authenticator = options_.authenticator.get(),
                    .certificates = options_.certificates ? options_.certificates() : std::vector<CertificateTerm>(),
                    .reads_waiting = scheduler_.reads_waiting(),
                    .version = options_.version,
                    .shutting_down = shutting_down_.load()});
  return response;
}

Response Service::ready(std::string_view path) const {
  const StoreHealth health = store_.health();
  const bool closing = shutting_down_.load();
  const auto warnings_json = [&] {
    std::string text;
    JsonWriter json(text);
    strings(json, warnings(health));
    return text;
  };
  const auto text_json = [](std::string_view text) {
    std::string json;
    append_json_string(json, printable(without_paths(text)));
    return json;
  };
  const std::vector<std::pair<std::string_view, std::string>> members = {
      {"writable", health.writable ? "true" : "false"},
      {"shuttingDown", closing ? "true" : "false"},
      {"reason", closing                 ? R"("The server is shutting down.")"
                 : health.reason.empty() ? "null"
                                         : text_json(health.reason)},
      {"warnings", warnings_json()},
      {"size", std::to_string(store_.durable_end().value())},
      {"groups", std::to_string(health.groups)},
      {"recordsAppended", std::to_string(health.records_appended)},
      {"queueProposals", std::to_string(health.queue_proposals)},
      {"unpreparedSegments", std::to_string(health.unprepared_segments)},
      {"indexRuns", std::to_string(health.index_runs)},
      {"scrubPasses", std::to_string(health.scrub_passes)},
      {"scrubbedBytes", std::to_string(health.scrubbed_bytes)},
      {"recovery", recovery_json(store_.recovery())},
      {"storeId", text_json(to_string(store_.store_id()))},
      {"origin", text_json(store_.origin())},
      {"version", text_json(options_.version)},
  };
  if (health.writable && !closing) {
    return json_response(object([&](JsonWriter& json) {
      json.key("ready").boolean(true);
      for (const auto& [name, value] : members) json.key(name).raw(value);
    }));
  }
  Problem problem("not-ready", closing ? "The server is shutting down."
                                       : "The store accepts no events: " + without_paths(health.reason));
  problem.header("Retry-After", "5").member("ready", "false");
  for (const auto& [name, value] : members) problem.member(name, value);
  return problem.response(path);
}

}  // namespace stele::api
