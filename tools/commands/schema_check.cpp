#include "tools/commands/schema_check.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/http/percent.h"
#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/schemas/schema_check.h"
#include "api/schemas/schema_event.h"
#include "api/schemas/schema_history.h"
#include "engine/store/read_only_store.h"
#include "engine/store/store.h"
#include "net/worker/worker_pool.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/problem.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

constexpr const char* kCheckCommand = "stele schema check";
/// The server may search through very many records before it finds one.
constexpr std::chrono::seconds kCheckSilenceMax{600};
constexpr int kTimesBusyMax = 20;

struct CheckFlags {
  ServerFlags server;
  std::string data;  ///< a folder instead of a server; empty: none
  std::string type;
  std::string file;
  std::string upcaster_file;
  bool json = false;

  void declare(CommandLine& app) {
    app.add_text("TYPE", type, "The event type").required();
    app.add_text("FILE", file, "A JSON Schema, of draft-07 or 2020-12").required();
    add_upcaster(app, upcaster_file);
    app.add_switch("--json", json, "The result as the server gives it").group("Output");
    server.declare(app);
    app.add_text("--data", data,
                 "Read this data folder instead of asking a server; nothing in it is changed, and a server may use it")
        .type("DIR")
        .group("Without a server");
    app.footer(
        "Exit status: 0 all events satisfy the schema, 1 some do not, or it could not be found out, 2 wrong "
        "usage.");
  }
};

Error refused(const std::string& what) { return Error{.kind = ErrorKind::Unsupported, .message = "refused: " + what}; }

/// The last line of the answer, which is its result; the others are the progress.
Result<std::string> check_on_server(HttpClient& client, const CheckFlags& flags, const std::string& body,
                                    Progress& progress) {
  HttpRequest request{.method = "POST", .target = schemas_path(flags.type) + "/check"};
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("Accept", "application/x-ndjson");
  request.body = body;
  std::string result;
  std::string rest;
  const auto take = [&](std::string_view piece) {
    rest += piece;
    for (std::size_t end = 0; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
      result = rest.substr(0, end);
      const std::string checked = JsonMembers(result).text("checked");
      progress.update({.events = std::strtoull(checked.c_str(), nullptr, 10)});
    }
    return true;
  };
  STELE_ASSIGN(const HttpResponse response, client.stream(request, take));
  if (response.status != 200) return refused(read_problem(response).describe());
  if (!JsonMembers(result).raw("failed")) {
    return Error{.kind = ErrorKind::Io, .message = "the answer ends before its result"};
  }
  return result;
}

Result<std::string> check_in_folder(const CheckFlags& flags, std::string body, Progress& progress) {
  ReadOnlyOptions options;
  options.folder = flags.data;
  STELE_ASSIGN(const std::unique_ptr<ReadOnlyStore> store, Store::open_read_only(std::move(options)));
  api::RegisteredSchemas registered;
  STELE_TRY(api::apply_schema_events(*store->view(), registered));
  const std::size_t size = body.size();
  body.append(simdjson::SIMDJSON_PADDING, '\0');
  net::WorkerPool workers({.start_ahead = false});
  auto proposed =
      api::read_proposed(flags.type, std::string_view(body).substr(0, size), registered, {.host = &workers}, {});
  if (const auto* const problem = std::get_if<api::Problem>(&proposed)) {
    return refused(std::string(problem->kind().slug) + ": " + problem->detail());
  }
  auto& checked = std::get<api::SchemaChecks::Proposed>(proposed);
  api::SchemaHistory history(flags.type, std::move(checked.schema));
  history.upcast_to(checked.version, std::move(checked.chains));
  for (int times_busy = 0;;) {
    STELE_ASSIGN(const auto looked, history.look(*store->view(), {}));
    if (looked == api::SchemaHistory::Outcome::Whole) break;
    times_busy = looked == api::SchemaHistory::Outcome::Busy ? times_busy + 1 : 0;
    if (times_busy > kTimesBusyMax) return Error{.kind = ErrorKind::Busy, .message = "upcasters cannot be run"};
    progress.update({.events = history.checked()});
  }
  std::string result;
  api::JsonWriter json(result);
  json.begin_object();
  api::append_result(json, history);
  json.end_object();
  return result;
}

void show_result(const CheckFlags& flags, const JsonMembers& result) {
  std::vector<std::vector<std::string>> lines{{"POSITION", "EVENT", "POINTER", "DETAIL"}};
  for (const std::string_view element : result.list("failures")) {
    const JsonMembers one(element);
    lines.push_back({one.text("position"), one.text("eventId"), one.text("pointer"), one.text("detail")});
  }
  if (lines.size() > 1) put(columns(lines));
  say("{}: {} events checked, {} do not satisfy the schema{}\n", flags.type, result.text("checked"),
      result.text("failed"),
      std::to_string(lines.size() - 1) == result.text("failed") ? "" : "; the first of them are listed");
}

}  // namespace

std::string schemas_path(const std::string& event_type) {
  std::string path = "/v1/schemas";
  if (event_type.empty()) return path;
  path += '/';
  api::append_percent_encoded(path, event_type);
  return path;
}

void add_upcaster(CommandLine& app, std::string& file) {
  app.add_text("--upcaster", file,
               R"(What makes data of the version before data of this one: {"from":1,"operations":[…]}; none: it is)")
      .type("FILE")
      .group("What");
}

Result<std::string> proposed_body(const std::string& schema_file, const std::string& upcaster_file) {
  STELE_ASSIGN(const std::string schema, read_file(schema_file));
  std::string body = "{\"schema\":" + schema;
  if (upcaster_file.empty()) return body;
  STELE_ASSIGN(const std::string upcaster, read_file(upcaster_file));
  return body + ",\"upcaster\":" + upcaster;
}

int schema_check_command(int argc, const char* const* argv) {
  CheckFlags flags;
  CommandLine app("schema check", "Holds a schema against every stored event of a type, without registering it.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto body = proposed_body(flags.file, flags.upcaster_file);
  if (!body) return unusable_input(kCheckCommand, body.error());
  const auto client = flags.server.client({.transfer = kCheckSilenceMax});
  if (!client) return wrong_usage(kCheckCommand, client.error().describe());
  Progress progress(Progress::mode_for_stderr());
  const auto result = flags.data.empty() ? check_on_server(**client, flags, *body + "}", progress)
                                         : check_in_folder(flags, *body + "}", progress);
  progress.clear();
  if (!result) {
    say("{}: {}\n", kCheckCommand, result.error().describe());
    return kExitFailure;
  }
  const JsonMembers found(*result);
  flags.json ? put(*result + "\n") : show_result(flags, found);
  const int written = finish_output(kCheckCommand);
  if (written != kExitOk) return written;
  return found.text("failed") == "0" ? kExitOk : kExitFailure;
}

}  // namespace stele::tools
