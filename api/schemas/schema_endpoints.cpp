#include "api/schemas/schema_endpoints.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "api/endpoint/audited_action.h"
#include "api/endpoint/event_type.h"
#include "api/endpoint/limit_forbids.h"
#include "api/http/body_members.h"
#include "api/http/bounded_read.h"
#include "api/http/parameters.h"
#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/schemas/candidate_status.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

/// An upcaster, whose text may have an escape for each of its bytes.
constexpr std::size_t kBesideSchemaBytesMax = 1U << 20;
constexpr std::size_t kSettingsBytesMax = 4U << 10;

/// 0 if it is no number.
std::uint64_t number_in(const Call& call, std::string_view parameter) {
  const std::string& text = call.parameter(parameter);
  std::uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  return error == std::errc() && end == text.data() + text.size() ? version : 0;
}

std::uint64_t version_in(const Call& call) { return number_in(call, "version"); }

std::optional<Problem> bad_event_type(const Call& call) {
  if (is_event_type(call.parameter("eventType"))) return std::nullopt;
  return Problem("invalid-path",
                 "An event type has 1 to 128 of letters, digits and . _ - : /, and is neither '.' nor '..'.");
}

/// What keeps a caller from changing anything.
std::optional<Problem> bad_change(const Call& call) {
  if (auto problem = forbidden_by_limit(call.caller())) return problem;
  return bad_event_type(call);
}

SchemaAuthor author_of(Call& call) {
  return {call.caller(), call.correlation(), [&call] { return call.request().abandoned(); }};
}

std::optional<SchemaCompatibility> take_compatibility(BodyMembers& members) {
  const auto name = members.text("compatibility");
  if (!name) return std::nullopt;
  const auto compatibility = schema_compatibility_of(*name);
  if (!compatibility) {
    members.refuse(
        "compatibility",
        "Must be NONE, BACKWARD, BACKWARD_TRANSITIVE, FORWARD, FORWARD_TRANSITIVE, FULL or FULL_TRANSITIVE.");
  }
  return compatibility;
}

std::optional<SchemaPolicy> take_policy(BodyMembers& members) {
  const auto name = members.text("policy");
  if (!name) return std::nullopt;
  const auto policy = schema_policy_of(*name);
  if (!policy) members.refuse("policy", "Must be lenient or strict.");
  return policy;
}

void append_settings(JsonWriter& json, const SchemaSettings& settings) {
  json.key("compatibility").plain(name_of(settings.compatibility)).key("policy").plain(name_of(settings.policy));
}

void append_newest(JsonWriter& json, const EventTypeSchemas& schemas) {
  json.key("version");
  const SchemaVersion* const newest = schemas.newest_active();
  newest == nullptr ? json.null() : json.number(newest->version);
}

void append_version(JsonWriter& json, const SchemaVersion& version) {
  json.key("version").number(version.version).key("state").plain(name_of(version.state));
  json.key("position").number(version.position.value()).key("timestamp").plain(format_timestamp(version.time));
}

std::string settings_json(std::string_view event_type, const SchemaSettings& settings) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("eventType").string(event_type);
  append_settings(json, settings);
  json.end_object();
  return body;
}

void send_empty(Call& call) {
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace

std::vector<Endpoint> SchemaEndpoints::endpoints() {
  const EndpointLimits one;
  const EndpointLimits schema{
      .body = BodyForm::Json, .body_bytes_max = kSchemaBytesMax + kBesideSchemaBytesMax, .query = QueryUse::Read};
  EndpointLimits check = schema;
  check.query = QueryUse::Refused;
  check.answer = AnswerForm::JsonOrLines;
  const EndpointLimits settings{.body = BodyForm::Json, .body_bytes_max = kSettingsBytesMax};
  return {
      {Method::Get, "/v1/schemas", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(*call); }, audited_as("schemas.list")},
      {Method::Get, "/v1/schemas/{eventType}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("schema.show")},
      {Method::Post, "/v1/schemas/{eventType}", Permission::Administer, schema, RunsOn::ReadPool,
       [this](const CallPtr& call) { register_schema(*call); }, audited_as("schema.register")},
      {Method::Post, "/v1/schemas/{eventType}/check", Permission::Administer, check, RunsOn::ReadPool,
       [this](const CallPtr& call) { this->check(*call); }, audited_as("schema.check")},
      {Method::Get, "/v1/schemas/{eventType}/candidates/{position}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_candidate(*call); }, audited_as("schema.show")},
      {Method::Delete, "/v1/schemas/{eventType}/candidates/{position}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { cancel(*call); }, audited_as("schema.drop-candidate")},
      {Method::Get, "/v1/schemas/{eventType}/config", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_settings(*call); }, audited_as("schema.show")},
      {Method::Put, "/v1/schemas/{eventType}/config", Permission::Administer, settings, RunsOn::ReadPool,
       [this](const CallPtr& call) { configure(*call); }, audited_as("schema.configure")},
      {Method::Get, "/v1/schemas/{eventType}/versions/{version}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_version(*call); }, audited_as("schema.show")},
      {Method::Delete, "/v1/schemas/{eventType}/versions/{version}", Permission::Administer, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { withdraw(*call); }, audited_as("schema.withdraw")},
      {Method::Post, "/v1/schemas/{eventType}/versions/{version}/activate", Permission::Administer, one,
       RunsOn::ReadPool, [this](const CallPtr& call) { activate(*call); }, audited_as("schema.activate")},
  };
}

SubjectReport SchemaEndpoints::report() const {
  SubjectReport report;
  if (const std::uint64_t unreadable = registry_.unreadable(); unreadable > 0) {
    report.warnings.push_back(std::to_string(unreadable) +
                              " events about schemas cannot be understood; was a newer version of the server here?");
  }
  using Kind = SubjectMetric::Kind;
  const ValidationCounts& validations = registry_.validations();
  report.metrics.push_back({Kind::Counter,
                            "stele_schema_validations_total",
                            "Validations of events before they were stored.",
                            "outcome",
                            {{"valid", validations.valid},
                             {"invalid", validations.invalid},
                             {"unknown-version", validations.unknown_version},
                             {"too-much-work", validations.too_much_work}}});
  const auto add_steps = [&](const char* name, const char* help, const UpcastCounts::Steps& steps) {
    report.metrics.push_back({Kind::Counter,
                              name,
                              help,
                              "outcome",
                              {{"done", steps.done}, {"failed", steps.failed}, {"unavailable", steps.passing}}});
  };
  add_steps("stele_upcast_operations_total", "Events brought to the next version by operations.",
            registry_.upcasts().operations);
  add_steps("stele_upcast_scripts_total", "Events brought to the next version by scripts.",
            registry_.upcasts().scripts);
  const auto add_gauge = [&](const char* name, const char* help, std::uint64_t value) {
    report.metrics.push_back({Kind::Gauge, name, help, {}, {{"", value}}});
  };
  const SchemaCache::Metrics compiled = registry_.cached();
  add_gauge("stele_schemas_compiled", "Schemas that are kept compiled.", compiled.schemas);
  add_gauge("stele_schemas_compiled_bytes", "What they may take.", compiled.bytes);
  const auto all = registry_.now();
  const auto candidates = std::count_if(all->types.begin(), all->types.end(),
                                        [](const auto& type) { return type.second->candidate.has_value(); });
  add_gauge("stele_schema_candidates", "Versions that are held against what was stored before them.",
            static_cast<std::uint64_t>(candidates));
  return report;
}

void SchemaEndpoints::list(Call& call) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("schemas").begin_array();
  const auto all = registry_.now();
  for (const auto& [event_type, schemas] : all->types) {
    if (schemas->versions.empty()) continue;
    json.begin_object().key("eventType").string(event_type);
    append_newest(json, *schemas);
    json.key("versions").number(schemas->versions.size());
    append_settings(json, schemas->settings);
    json.end_object();
  }
  json.end_array().end_object();
  call.send(std::move(response));
}

void SchemaEndpoints::show(Call& call) {
  const auto all = registry_.now();
  const EventTypeSchemas* const schemas = all->find(call.parameter("eventType"));
  if (schemas == nullptr || (schemas->versions.empty() && !schemas->candidate)) return call.fail(no_such_schema());
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("eventType").string(call.parameter("eventType"));
  append_newest(json, *schemas);
  append_settings(json, schemas->settings);
  json.key("versions").begin_array();
  for (const SchemaVersion& version : schemas->versions) {
    json.begin_object();
    append_version(json, version);
    json.end_object();
  }
  json.end_array();
  if (schemas->candidate) {
    json.key("candidate").begin_object().key("version").number(schemas->candidate->version);
    json.key("position").number(schemas->candidate->position.value()).end_object();
  }
  json.end_object();
  call.send(std::move(response));
}

void SchemaEndpoints::show_version(Call& call) {
  const auto all = registry_.now();
  const EventTypeSchemas* const schemas = all->find(call.parameter("eventType"));
  const std::uint64_t number = version_in(call);
  if (schemas == nullptr || number == 0 || number > schemas->versions.size()) return call.fail(no_such_schema());
  const SchemaVersion& version = schemas->versions[number - 1];
  const auto text = registry_.text_of(version);
  if (!text) return call.fail(read_failed());
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("eventType").string(call.parameter("eventType"));
  append_version(json, version);
  json.key("schema").raw(*text);
  if (version.upcaster != nullptr) json.key("upcaster").raw(version.upcaster->text);
  json.end_object();
  call.send(std::move(response));
}

void SchemaEndpoints::show_settings(Call& call) {
  if (const auto problem = bad_event_type(call)) return call.fail(*problem);
  const auto all = registry_.now();
  const EventTypeSchemas* const schemas = all->find(call.parameter("eventType"));
  Response response;
  response.body = settings_json(call.parameter("eventType"), schemas == nullptr ? SchemaSettings{} : schemas->settings);
  call.send(std::move(response));
}

void SchemaEndpoints::register_schema(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  Parameters parameters(call.request().query(), {"active"});
  SchemaRegistrar::Registration registration;
  registration.active = parameters.flag("active").value_or(true);
  if (const auto problem = parameters.problem()) return call.fail(*problem);
  auto parsed = BodyMembers::parse(call.request().body(), {"schema", "compatibility", "policy", "upcaster"});
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  registration.upcaster = take_upcaster(members);
  registration.compatibility = take_compatibility(members);
  registration.policy = take_policy(members);
  std::optional<Problem> too_large;
  registration.schema = take_schema(members, too_large).value_or("");
  if (too_large) return call.fail(*too_large);
  if (const auto problem = members.problem()) return call.fail(*problem);
  call.has_acted();
  const std::string& event_type = call.parameter("eventType");
  const auto result = registrar_.register_schema(event_type, registration, author_of(call));
  if (const auto* const problem = std::get_if<Problem>(&result)) return call.fail(*problem);
  Response response;
  if (const auto* const pending = std::get_if<SchemaRegistrar::Pending>(&result)) {
    const Position position = pending->candidate.position;
    auto status = candidate_status(*store_.view(), event_type, position, candidates_, registry_);
    if (!status || !*status) return call.fail(read_failed());
    response.status = 202;
    response.body = std::move(**status);
    response.headers.emplace_back("Location", candidate_path(event_type, position));
    return call.send(std::move(response));
  }
  const auto& registered = std::get<SchemaRegistrar::Registered>(result);
  response.status = registered.is_new ? 201 : 200;
  JsonWriter json(response.body);
  json.begin_object().key("eventType").string(event_type).key("version").number(registered.version);
  json.key("ignoredKeywords").begin_array();
  for (const std::string& keyword : registered.ignored_keywords) json.string(keyword);
  json.end_array().end_object();
  std::string path = "/v1/schemas/";
  append_percent_encoded(path, event_type);
  response.headers.emplace_back("Location", path + "/versions/" + std::to_string(registered.version));
  call.send(std::move(response));
}

void SchemaEndpoints::check(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  auto proposed = read_proposed(call.parameter("eventType"), call.request().body(), *registry_.now(),
                                registry_.runtime(), [&call] { return call.request().abandoned(); });
  if (const auto* const problem = std::get_if<Problem>(&proposed)) return call.fail(*problem);
  call.send(checks_.begin(std::get<SchemaChecks::Proposed>(std::move(proposed)), call.accepted(), call.request()));
}

void SchemaEndpoints::show_candidate(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  auto status = candidate_status(*store_.view(), call.parameter("eventType"), Position{number_in(call, "position")},
                                 candidates_, registry_);
  if (!status) return call.fail(read_failed());
  if (!*status) return call.fail(no_such_schema());
  Response response;
  response.body = std::move(**status);
  call.send(std::move(response));
}

void SchemaEndpoints::cancel(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  const std::string& event_type = call.parameter("eventType");
  const Position position{number_in(call, "position")};
  const auto status = candidate_status(*store_.view(), event_type, position, candidates_, registry_);
  if (!status) return call.fail(read_failed());
  if (!*status) return call.fail(no_such_schema());
  call.has_acted();
  if (const auto problem = registrar_.cancel(event_type, position, author_of(call))) return call.fail(*problem);
  send_empty(call);
}

void SchemaEndpoints::activate(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  call.has_acted();
  if (const auto problem = registrar_.activate(call.parameter("eventType"), version_in(call), author_of(call))) {
    return call.fail(*problem);
  }
  send_empty(call);
}

void SchemaEndpoints::withdraw(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  call.has_acted();
  if (const auto problem = registrar_.withdraw(call.parameter("eventType"), version_in(call), author_of(call))) {
    return call.fail(*problem);
  }
  send_empty(call);
}

void SchemaEndpoints::configure(Call& call) {
  if (const auto problem = bad_change(call)) return call.fail(*problem);
  auto parsed = BodyMembers::parse(call.request().body(), {"compatibility", "policy"});
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  auto& members = std::get<BodyMembers>(parsed);
  const auto compatibility = take_compatibility(members);
  const auto policy = take_policy(members);
  if (!members.has("compatibility") && !members.has("policy")) {
    members.refuse("compatibility", "One of compatibility and policy is required.");
  }
  if (const auto problem = members.problem()) return call.fail(*problem);
  call.has_acted();
  const std::string& event_type = call.parameter("eventType");
  const auto result = registrar_.configure(event_type, compatibility, policy, author_of(call));
  if (const auto* const problem = std::get_if<Problem>(&result)) return call.fail(*problem);
  Response response;
  response.body = settings_json(event_type, std::get<SchemaSettings>(result));
  call.send(std::move(response));
}

}  // namespace stele::api
