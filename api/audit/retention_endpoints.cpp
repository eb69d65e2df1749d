#include "api/audit/retention_endpoints.h"

#include <utility>

#include "api/endpoint/limit_forbids.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

}  // namespace

std::vector<Endpoint> RetentionEndpoints::endpoints() {
  const EndpointLimits body{.body = BodyForm::Json, .body_bytes_max = kRetentionBodyBytesMax};
  const EndpointLimits one;
  return {
      {Method::Get, "/v1/audit/retention", Permission::Audit, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("retention.show")},
      {Method::Put, "/v1/audit/retention", Permission::Administer, body, RunsOn::ReadPool,
       [this](const CallPtr& call) { set(*call); }, audited_as("retention.set")},
  };
}

Response RetentionEndpoints::answer(const RetentionPolicy::Setting& setting) const {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("policy").raw(to_json(setting.times)).key("minimum").raw(to_json(policy_.minimum()));
  json.key("effective").raw(to_json(setting.times.longer(policy_.minimum())));
  if (setting.position) {
    json.key("position").number(setting.position->value()).key("setAt").plain(format_timestamp(setting.set));
    if (!setting.set_by.empty()) json.key("setBy").string(setting.set_by);
  }
  json.end_object();
  return response;
}

void RetentionEndpoints::show(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  call.send(answer(policy_.setting()));
}

void RetentionEndpoints::set(Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return call.fail(*problem);
  const auto parsed = parse_retention_request(call.request().body(), policy_.minimum());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  call.has_acted();
  const auto set = policy_.set(std::get<RetentionTimes>(parsed), call.caller(), call.correlation());
  if (const auto* const problem = std::get_if<Problem>(&set)) return call.fail(*problem);
  redactions_.rules_changed();
  call.send(answer(std::get<RetentionPolicy::Setting>(set)));
}

}  // namespace stele::api
