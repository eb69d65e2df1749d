#include "api/operations/operations_endpoints.h"

#include <utility>

#include "api/access/authenticator.h"
#include "api/endpoint/call.h"
#include "api/http/problem.h"
#include "api/operations/metrics_page.h"
#include "api/operations/openapi.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

Response json_response(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

std::variant<Response, Problem> show_problem_kind(std::string_view slug) {
  const ProblemKind* const kind = find_problem_kind(slug);
  if (kind == nullptr) return Problem("not-found", "There is no problem of this name; /problems lists all.");
  return json_response(describe(*kind));
}

}  // namespace

std::vector<Endpoint> OperationsEndpoints::endpoints() {
  // Probes add what they like to their requests, and must not fail for it.
  const EndpointLimits probe{.answer = AnswerForm::Any, .query = QueryUse::Ignored};
  const EndpointLimits one;
  return {
      {Method::Get, "/healthz", Permission::Open, probe, RunsOn::IoThread,
       [](const CallPtr& call) { call->send(json_response(R"({"status":"ok"})")); }},
      {Method::Get, "/readyz", Permission::Open, probe, RunsOn::IoThread,
       [this](const CallPtr& call) { call->send(health_.ready(call->request().path())); }},
      {Method::Get, "/metrics", Permission::Audit, probe, RunsOn::ReadPoolIfFree,
       [this](const CallPtr& call) { call->send(metrics()); }},
      // Long enough for compressing it to take time.
      {Method::Get, "/openapi.json", Permission::Open, one, RunsOn::ReadPool,
       [](const CallPtr& call) { call->send(json_response(std::string(openapi_json()))); }},
      {Method::Get, "/problems", Permission::Open, one, RunsOn::IoThread,
       [](const CallPtr& call) { call->send(json_response(describe_problem_kinds())); }},
      {Method::Get, "/problems/{slug}", Permission::Open, one, RunsOn::IoThread,
       [](const CallPtr& call) { call->send(show_problem_kind(call->parameter("slug"))); }},
  };
}

Response OperationsEndpoints::metrics() const {
  static const TrafficMetrics none;
  const StoreHealth health = store_.health();
  const SubjectReport subjects = subjects_();
  Response response;
  response.content_type = kMetricsType;
  response.body =
      metrics_page({.store = store_,
                    .health = health,
                    .warnings = health_.warnings(health, subjects).size(),
                    .traffic = options_.traffic ? *options_.traffic : none,
                    .authenticator = options_.authenticator.get(),
                    .certificates = options_.certificates ? options_.certificates() : std::vector<CertificateTerm>(),
                    .reads_waiting = scheduler_.reads_waiting(),
                    .subjects = subjects.metrics,
                    .version = options_.version,
                    .shutting_down = health_.shutting_down()});
  return response;
}

}  // namespace stele::api
