#include "api/audit/hold_endpoints.h"

#include <utility>

#include "api/endpoint/limit_forbids.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

Problem no_such_hold() { return {"hold-not-found", "There is no legal hold of this name."}; }

}  // namespace

std::vector<Endpoint> HoldEndpoints::endpoints() {
  const EndpointLimits body{.body = BodyForm::Json, .body_bytes_max = kHoldBodyBytesMax};
  const EndpointLimits one;
  return {
      {Method::Get, "/v1/audit/holds", Permission::Audit, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(*call); }, audited_as("holds.list")},
      {Method::Get, "/v1/audit/holds/{holdName}", Permission::Audit, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("hold.show")},
      {Method::Put, "/v1/audit/holds/{holdName}", Permission::Administer, body, RunsOn::ReadPool,
       [this](const CallPtr& call) { place(*call); }, audited_as("hold.place")},
      {Method::Delete, "/v1/audit/holds/{holdName}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { release(*call); }, audited_as("hold.release")},
  };
}

void HoldEndpoints::list(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("holds").begin_array();
  const auto holds = holds_.all();
  for (const auto& [name, hold] : *holds) {
    json.begin_object().key("name").string(name).key("reason").string(hold->scope.reason);
    json.key("placedAt").plain(format_timestamp(hold->placed));
    if (!hold->placed_by.empty()) json.key("placedBy").string(hold->placed_by);
    json.end_object();
  }
  json.end_array().end_object();
  call.send(std::move(response));
}

void HoldEndpoints::show(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  const auto holds = holds_.all();
  const auto found = holds->find(call.parameter("holdName"));
  if (found == holds->end()) return call.fail(no_such_hold());
  Response response;
  response.body = to_json(*found->second);
  call.send(std::move(response));
}

void HoldEndpoints::place(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  const std::string& name = call.parameter("holdName");
  if (!is_hold_name(name)) {
    return call.fail(Problem(
        "invalid-path",
        "The name of a legal hold has 1 to 128 letters, digits, '.', '_' and '-', and is neither '.' nor '..'."));
  }
  auto parsed = parse_hold_request(call.request().body());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  call.has_acted();
  const auto placed = holds_.place(name, std::get<HoldScope>(std::move(parsed)), call.caller(), call.correlation());
  if (const auto* const problem = std::get_if<Problem>(&placed)) return call.fail(*problem);
  redactions_.rules_changed();
  const auto& [hold, is_new] = std::get<LegalHolds::Placed>(placed);
  Response response;
  response.status = is_new ? 201 : 200;
  response.body = to_json(*hold);
  call.send(std::move(response));
}

void HoldEndpoints::release(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  call.has_acted();
  const auto released = holds_.release(call.parameter("holdName"), call.caller(), call.correlation());
  if (const auto* const problem = std::get_if<Problem>(&released)) return call.fail(*problem);
  if (!std::get<bool>(released)) return call.fail(no_such_hold());
  redactions_.rules_changed();
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace stele::api
