#include "api/schemas/alias_endpoints.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "api/endpoint/audited_action.h"
#include "api/endpoint/event_type.h"
#include "api/endpoint/limit_forbids.h"
#include "api/http/body_members.h"
#include "api/json/json_writer.h"

namespace stele::api {

namespace {

using AliasCallPtr = std::shared_ptr<Call>;

constexpr std::size_t kAliasBytesMax = 4U << 10;

void append_alias(JsonWriter& json, std::string_view event_type, std::string_view to) {
  json.begin_object().key("eventType").string(event_type).key("to").string(to).end_object();
}

/// What keeps a caller from changing an alias.
std::optional<Problem> bad_alias_change(const Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return problem;
  if (is_event_type(call.parameter("eventType"))) return std::nullopt;
  return Problem("invalid-path",
                 "An event type has 1 to 128 of letters, digits and . _ - : /, and is neither '.' nor '..'.");
}

SchemaAuthor alias_author(Call& call) {
  return {call.caller(), call.correlation(), [&call] { return call.request().abandoned(); }};
}

}  // namespace

std::vector<Endpoint> AliasEndpoints::endpoints() {
  const EndpointLimits one;
  const EndpointLimits alias{.body = BodyForm::Json, .body_bytes_max = kAliasBytesMax};
  return {
      {Method::Get, "/v1/event-types/aliases", Permission::Read, one, RunsOn::ReadPool,
       [this](const AliasCallPtr& call) { list(*call); }, audited_as("aliases.list")},
      {Method::Get, "/v1/event-types/{eventType}/alias", Permission::Read, one, RunsOn::ReadPool,
       [this](const AliasCallPtr& call) { show(*call); }, audited_as("alias.show")},
      {Method::Put, "/v1/event-types/{eventType}/alias", Permission::Administer, alias, RunsOn::ReadPool,
       [this](const AliasCallPtr& call) { set(*call); }, audited_as("alias.set")},
      {Method::Delete, "/v1/event-types/{eventType}/alias", Permission::Administer, one, RunsOn::ReadPool,
       [this](const AliasCallPtr& call) { remove(*call); }, audited_as("alias.remove")},
  };
}

void AliasEndpoints::list(Call& call) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("aliases").begin_array();
  const auto all = registry_.now();
  for (const auto& [event_type, to] : all->aliases->shown) append_alias(json, event_type, to);
  json.end_array().end_object();
  call.send(std::move(response));
}

void AliasEndpoints::show(Call& call) {
  const std::string& event_type = call.parameter("eventType");
  const auto all = registry_.now();
  const std::string* const to = all->aliases->shown_name(event_type);
  if (to == nullptr) return call.fail(no_such_alias());
  Response response;
  JsonWriter json(response.body);
  append_alias(json, event_type, *to);
  call.send(std::move(response));
}

void AliasEndpoints::set(Call& call) {
  if (const auto problem = bad_alias_change(call)) return call.fail(*problem);
  auto parsed = BodyMembers::parse(call.request().body(), {"to"});
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  const auto to = members.text("to");
  if (!members.has("to")) {
    members.refuse("to", "The member is required.");
  } else if (to && !is_event_type(*to)) {
    members.refuse("to", "An event type has 1 to 128 of letters, digits and . _ - : /, and is neither '.' nor '..'.");
  }
  if (const auto problem = members.problem()) return call.fail(*problem);
  call.has_acted();
  const std::string& event_type = call.parameter("eventType");
  const auto result = registrar_.alias(event_type, *to, alias_author(call));
  if (const auto* const problem = std::get_if<Problem>(&result)) return call.fail(*problem);
  Response response;
  response.status = std::get<bool>(result) ? 201 : 200;
  JsonWriter json(response.body);
  append_alias(json, event_type, *to);
  call.send(std::move(response));
}

void AliasEndpoints::remove(Call& call) {
  if (const auto problem = bad_alias_change(call)) return call.fail(*problem);
  call.has_acted();
  const auto result = registrar_.alias(call.parameter("eventType"), std::nullopt, alias_author(call));
  if (const auto* const problem = std::get_if<Problem>(&result)) return call.fail(*problem);
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace stele::api
