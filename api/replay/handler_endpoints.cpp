#include "api/replay/handler_endpoints.h"

#include <simdjson.h>

#include <charconv>
#include <utility>

#include "api/endpoint/limit_forbids.h"
#include "api/http/bounded_read.h"
#include "api/http/percent.h"
#include "api/replay/replay_json.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

Problem no_handler() { return {"handler-not-found", "No such handler is registered."}; }

std::string path_of(std::string_view aggregate_type, std::string_view name, std::uint32_t version) {
  std::string path = "/v1/handlers/";
  append_percent_encoded(path, aggregate_type);
  path += '/';
  append_percent_encoded(path, name);
  return path += "/versions/" + std::to_string(version);
}

}  // namespace

std::vector<Endpoint> HandlerEndpoints::endpoints() {
  const EndpointLimits script{.body = BodyForm::Script, .body_bytes_max = HandlerRegistry::kSourceBytesMax};
  const EndpointLimits one;
  const std::string by_default(kDefaultHandler);
  return {
      {Method::Get, "/v1/handlers", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(*call, std::nullopt); }, audited_as("handlers.list")},
      {Method::Get, "/v1/handlers/{aggregateType}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(*call, call->parameter("aggregateType")); }, audited_as("handlers.list")},
      {Method::Put, "/v1/handlers/{aggregateType}", Permission::Administer, script, RunsOn::IoThread,
       [this, by_default](const CallPtr& call) { put(call, by_default); }, audited_as("handler.register")},
      {Method::Get, "/v1/handlers/{aggregateType}/{name}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(*call); }, audited_as("handler.show")},
      {Method::Put, "/v1/handlers/{aggregateType}/{name}", Permission::Administer, script, RunsOn::IoThread,
       [this](const CallPtr& call) { put(call, call->parameter("name")); }, audited_as("handler.register")},
      {Method::Get, "/v1/handlers/{aggregateType}/{name}/versions/{version}", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { show_version(*call); }, audited_as("handler.show")},
  };
}

void HandlerEndpoints::put(const CallPtr& call, const std::string& name) {
  if (const auto problem = forbidden_by_limit(call->caller())) return call->fail(*problem);
  if (const auto problem = bad_aggregate_type(call->parameter("aggregateType"))) return call->fail(*problem);
  if (!is_handler_name(name)) {
    return call->fail(Problem("invalid-path",
                              "The name of a handler has 1 to 128 letters, digits, '.', '_' and '-', and is not merge "
                              "or last, which are built in."));
  }
  const std::string_view body = call->request().body();
  if (!simdjson::validate_utf8(body.data(), body.size())) {
    return call->fail(Problem("invalid-handler", "The source is not UTF-8."));
  }
  room_.threads.run_soon(call, [this, name](Call& c) -> std::variant<Response, Problem> {
    const std::string& type = c.parameter("aggregateType");
    const std::string source(c.request().body());
    const auto failure = room_.replayer.try_script(trial_handler(source), [&c] { return c.request().abandoned(); });
    if (failure) return failure->problem;
    c.has_acted();
    const auto put = room_.handlers.put(room_.store, type, name, source, {c.caller(), c.correlation()}, room_.clock);
    if (const auto* const problem = std::get_if<Problem>(&put)) return *problem;
    const auto& registered = std::get<HandlerRegistry::Registered>(put);
    Response response;
    response.status = registered.created ? 201 : 200;
    JsonWriter json(response.body);
    json.begin_object().key("aggregateType").string(type).key("name").string(name);
    json.key("version").number(registered.version).end_object();
    response.headers.emplace_back("Location", path_of(type, name, registered.version));
    return response;
  });
}

void HandlerEndpoints::list(Call& call, const std::optional<std::string>& aggregate_type) {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("handlers").begin_array();
  for (const HandlerRegistry::Listed& listed : room_.handlers.list(aggregate_type)) {
    if (call.caller().may_use_type(listed.aggregate_type)) append_listed_json(json, listed);
  }
  json.end_array().end_object();
  call.send(std::move(response));
}

void HandlerEndpoints::show(Call& call) {
  const std::string& type = call.parameter("aggregateType");
  const auto listed = room_.handlers.versions_of(type, call.parameter("name"));
  if (!listed || !call.caller().may_use_type(type)) return call.fail(no_handler());
  Response response;
  response.body = versions_json(*listed);
  call.send(std::move(response));
}

void HandlerEndpoints::show_version(Call& call) {
  const std::string& type = call.parameter("aggregateType");
  const std::string& name = call.parameter("name");
  const std::string& text = call.parameter("version");
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  const auto listed = room_.handlers.versions_of(type, name);
  if (error != std::errc() || end != text.data() + text.size() || !listed || !call.caller().may_use_type(type) ||
      version == 0 || version > listed->versions.size()) {
    return call.fail(no_handler());
  }
  const auto handler = room_.handlers.find(type, name, version);
  if (!handler) return call.fail(no_handler());
  auto source = HandlerRegistry::source_of(*handler, *room_.store.view());
  if (!source) return call.fail(read_failed());
  Response response;
  JsonWriter json(response.body);
  append_version_json(json, listed->versions[version - 1], *source);
  call.send(std::move(response));
}

}  // namespace stele::api
