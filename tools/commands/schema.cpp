#include "tools/commands/schema.h"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/progress.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"
#include "tools/commands/schema_check.h"
#include "tools/commands/schema_diff.h"

namespace stele::tools {

namespace {

constexpr std::chrono::milliseconds kLookEvery{200};
constexpr std::uint64_t kSchemaVersionMax = std::numeric_limits<std::uint32_t>::max();

int list_schemas(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele schema list";
  ServerFlags server;
  bool json = false;
  CommandLine app("schema list", "Lists event types that have schemas.");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.target = schemas_path({})});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  if (json) {
    put(answer->body + "\n");
    return finish_output(kCommand);
  }
  std::vector<std::vector<std::string>> lines{{"TYPE", "ACTIVE", "VERSIONS", "COMPATIBILITY", "POLICY"}};
  for (const std::string_view element : JsonMembers(answer->body).list("schemas")) {
    const JsonMembers one(element);
    const std::string active = one.text("version");
    lines.push_back({one.text("eventType"), active.empty() ? "none" : active, one.text("versions"),
                     one.text("compatibility"), one.text("policy")});
  }
  put(columns(lines));
  return finish_output(kCommand);
}

int show_schema(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele schema show";
  ServerFlags server;
  std::string type;
  std::uint64_t version = 0;
  bool json = false;
  CommandLine app("schema show", "Prints the versions of an event type's schema, or the schema of one.");
  app.add_text("TYPE", type, "The event type").required();
  app.add_number("--version", version, 0, kSchemaVersionMax, "The schema of this version; 0: all, without schemas")
      .group("Which");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const std::string target = schemas_path(type) + (version == 0 ? "" : "/versions/" + std::to_string(version));
  const auto answer = (*client)->send({.target = target});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const JsonMembers shown(answer->body);
  if (json) {
    put(answer->body + "\n");
  } else if (version != 0) {
    put(std::string(shown.raw("schema").value_or("")) + "\n");
  } else {
    std::vector<std::vector<std::string>> lines{{"VERSION", "STATE", "REGISTERED", "POSITION"}};
    for (const std::string_view element : shown.list("versions")) {
      const JsonMembers one(element);
      lines.push_back({one.text("version"), one.text("state"), one.text("timestamp"), one.text("position")});
    }
    put(columns(lines));
  }
  return finish_output(kCommand);
}

void say_failures(const JsonMembers& refused) {
  for (const std::string_view element : refused.list("failures")) {
    const JsonMembers one(element);
    say("position {} at '{}': {}\n", one.text("position"), one.text("pointer"), one.text("detail"));
  }
}

/// Asks until the server has looked through what is stored.
int wait_for_registration(const char* command, HttpClient& client, const HttpResponse& accepted, bool json) {
  const std::string path(accepted.header("location"));
  say("goes on without this command; DELETE {} cancels it\n", path);
  Progress progress(Progress::mode_for_stderr());
  std::string status = accepted.body;
  while (JsonMembers(status).text("state") == "checking") {
    std::this_thread::sleep_for(kLookEvery);
    const auto answer = client.send({.target = path});
    if (!answer || answer->status != 200) {
      progress.clear();
      return exit_code_of(command, answer);
    }
    status = answer->body;
    progress.update({.events = std::strtoull(JsonMembers(status).text("checked").c_str(), nullptr, 10)});
  }
  progress.clear();
  const JsonMembers ended(status);
  const std::string state = ended.text("state");
  if (json) put(status + "\n");
  if (state == "registered") {
    if (!json) put(fmt::format("{} version {}\n", ended.text("eventType"), ended.text("version")));
    return finish_output(command);
  }
  say_failures(ended);
  say("{}: {}: of {} stored events, {} do not satisfy the schema\n", command, state, ended.text("checked"),
      ended.text("failed"));
  const int written = finish_output(command);
  return written == kExitOk ? kExitFailure : written;
}

int register_schema(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele schema register";
  ServerFlags server;
  std::string type;
  std::string file;
  std::string upcaster_file;
  std::string compatibility;
  std::string policy;
  bool inactive = false;
  bool json = false;
  CommandLine app("schema register", "Registers a version of the schema that the data of an event type must satisfy.");
  app.add_text("TYPE", type, "The event type").required();
  app.add_text("FILE", file, "A JSON Schema, of draft-07 or 2020-12").required();
  add_upcaster(app, upcaster_file);
  app.add_text("--compatibility", compatibility, "What it must be to the versions before it; default what the type has")
      .type("MODE")
      .one_of({"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"})
      .group("What");
  app.add_text("--policy", policy, "Whether an optional property may come and go; default what the type has")
      .one_of({"lenient", "strict"})
      .group("What");
  app.add_switch("--inactive", inactive, "Only for events that name the version, until it is activated").group("What");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  app.footer("Events that are stored already must satisfy the first version of a schema.");
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto proposed = proposed_body(file, upcaster_file);
  if (!proposed) return unusable_input(kCommand, proposed.error());
  const auto client = server.client(kFoldTimeouts);
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.method = "POST", .target = schemas_path(type) + (inactive ? "?active=false" : "")};
  request.headers.emplace_back("Content-Type", "application/json");
  std::string body = *proposed;
  if (!compatibility.empty()) body += ",\"compatibility\":\"" + compatibility + '"';
  if (!policy.empty()) body += ",\"policy\":\"" + policy + '"';
  request.body = body += '}';
  const auto answer = (*client)->send(request);
  if (answer && answer->status == 409) {
    for (const std::string_view element : JsonMembers(answer->body).list("changes")) {
      const JsonMembers one(element);
      say("version {}, {}, at '{}': {}: {}\n", one.text("version"), one.text("direction"), one.text("pointer"),
          one.text("rule"), one.text("detail"));
    }
    say_failures(JsonMembers(answer->body));
  }
  if (answer && answer->status == 202) return wait_for_registration(kCommand, **client, *answer, json);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const JsonMembers registered(answer->body);
  put(json ? answer->body + "\n" : fmt::format("{} version {}\n", type, registered.text("version")));
  if (answer->status == 200) say("registered before, nothing new\n");
  for (const std::string_view keyword : registered.list("ignoredKeywords")) say("ignored: {}\n", keyword);
  return finish_output(kCommand);
}

/// A request about a version that has no body, and no answer but that it was done.
int change_version(const char* command, const char* what, const char* done, const HttpRequest& how, int argc,
                   const char* const* argv) {
  ServerFlags server;
  std::string type;
  std::uint64_t version = 0;
  CommandLine app(std::string(command).substr(std::string_view("stele ").size()), what);
  app.add_text("TYPE", type, "The event type").required();
  app.add_number("VERSION", version, 1, kSchemaVersionMax, "Which version").required();
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client(kFoldTimeouts);
  if (!client) return wrong_usage(command, client.error().describe());
  HttpRequest request = how;
  request.target = schemas_path(type) + "/versions/" + std::to_string(version) + request.target;
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(command, answer); code != kExitOk) return code;
  put(fmt::format("{} version {} {}\n", type, version, done));
  return finish_output(command);
}

int activate_schema(int argc, const char* const* argv) {
  return change_version("stele schema activate", "Lets events have a version that name none.", "is active",
                        {.method = "POST", .target = "/activate"}, argc, argv);
}

int withdraw_schema(int argc, const char* const* argv) {
  return change_version("stele schema withdraw", "Withdraws a version that no event has.", "is withdrawn",
                        {.method = "DELETE", .target = ""}, argc, argv);
}

constexpr std::array kSchemaActions{
    Action{"list", "list event types that have schemas", &list_schemas},
    Action{"show", "print versions or a schema", &show_schema},
    Action{"register", "register a version", &register_schema},
    Action{"check", "hold a schema against every stored event", &schema_check_command},
    Action{"diff", "say what keeps one schema from taking the place of another", &schema_diff_command},
    Action{"activate", "let events have a version that name none", &activate_schema},
    Action{"withdraw", "withdraw a version that no event has", &withdraw_schema},
};

}  // namespace

int schema_command(int argc, const char* const* argv) { return run_action("schema", kSchemaActions, "", argc, argv); }

}  // namespace stele::tools
