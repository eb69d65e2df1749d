#include "tools/commands/audit_hold.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

std::string hold_target(std::string_view name) {
  std::string target = "/v1/audit/holds/";
  api::append_percent_encoded(target, name);
  return target;
}

/// What the actions about one hold have in common.
struct HoldFlags {
  ServerFlags server;
  std::string name;

  void declare(CommandLine& app) {
    app.add_text("HOLD", name, "Its name: letters, digits, '.', '_' and '-'").required();
    server.declare(app);
  }
};

std::string listed(const JsonMembers& hold, std::string_view name) {
  std::string text;
  for (const std::string_view value : hold.list(name)) {
    if (!text.empty()) text += ' ';
    text += value;
  }
  return text;
}

std::string hold_details(const std::string& body) {
  const JsonMembers hold(body);
  std::vector<std::vector<std::string>> lines{{"hold", hold.text("name")}, {"reason", hold.text("reason")}};
  const auto add = [&](const char* what, std::string value) {
    if (!value.empty()) lines.push_back({what, std::move(value)});
  };
  add("aggregates", listed(hold, "aggregateIds"));
  add("types", listed(hold, "aggregateTypes"));
  add("users", listed(hold, "userIds"));
  add("event types", listed(hold, "eventTypes"));
  add("from", hold.text("from"));
  add("to", hold.text("to"));
  add("placed at", hold.text("placedAt"));
  add("placed by", hold.text("placedBy"));
  return columns(lines);
}

int list_holds(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit hold list";
  ServerFlags server;
  bool json = false;
  CommandLine app("audit hold list", "Lists legal holds.");
  app.add_switch("--json", json, "One JSON object a line, instead of a table").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.target = "/v1/audit/holds"});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const JsonMembers members(answer->body);
  std::vector<std::vector<std::string>> lines{{"HOLD", "PLACED", "BY", "REASON"}};
  for (const std::string_view each : members.list("holds")) {
    if (json) {
      put(std::string(each) + "\n");
      continue;
    }
    const JsonMembers hold(each);
    lines.push_back({hold.text("name"), hold.text("placedAt"), hold.text("placedBy"), hold.text("reason")});
  }
  if (!json) put(columns(lines));
  return finish_output(kCommand);
}

int show_hold(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit hold show";
  HoldFlags flags;
  bool json = false;
  CommandLine app("audit hold show", "Shows what a legal hold keeps, and why.");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.target = hold_target(flags.name)});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : hold_details(answer->body));
  return finish_output(kCommand);
}

struct ScopeFlags {
  std::vector<std::string> aggregates, types, users, event_types;
  std::string from, to, reason;

  void declare(CommandLine& app) {
    const char* const group = "What is kept";
    app.add_texts("--aggregate", aggregates, "ID", "Of this aggregate; may be repeated").group(group);
    app.add_texts("--aggregate-type", types, "TYPE", "Of aggregates of this type; may be repeated").group(group);
    app.add_texts("--user", users, "ID", "Of this user or principal; may be repeated").group(group);
    app.add_texts("--event-type", event_types, "TYPE", "Of this type, or action; may be repeated").group(group);
    app.add_text("--from", from, "Recorded at or after this time, RFC 3339").type("TIME").group(group);
    app.add_text("--to", to, "Recorded before this time").type("TIME").group(group);
    app.add_text("--reason", reason, "Why, for whoever reads the log later").required();
  }

  [[nodiscard]] std::string body() const {
    std::string text;
    api::JsonWriter json(text);
    json.begin_object();
    const auto add = [&](const char* name, const std::vector<std::string>& values) {
      if (values.empty()) return;
      json.key(name).begin_array();
      for (const std::string& value : values) json.string(value);
      json.end_array();
    };
    add("aggregateIds", aggregates);
    add("aggregateTypes", types);
    add("userIds", users);
    add("eventTypes", event_types);
    if (!from.empty()) json.key("from").string(from);
    if (!to.empty()) json.key("to").string(to);
    json.key("reason").string(reason).end_object();
    return text;
  }
};

int place_hold(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit hold place";
  HoldFlags flags;
  ScopeFlags scope;
  bool json = false;
  CommandLine app(
      "audit hold place",
      "Places a legal hold, or changes it: the bodies of events and actions that meet all of the conditions\n"
      "are kept, whatever is asked for.");
  scope.declare(app);
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.method = "PUT", .target = hold_target(flags.name)};
  request.headers.emplace_back("Content-Type", "application/json");
  const std::string body = scope.body();
  request.body = body;
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : hold_details(answer->body));
  return finish_output(kCommand);
}

int release_hold(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit hold release";
  HoldFlags flags;
  CommandLine app("audit hold release", "Releases a legal hold; redactions that wait for it go on.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  return exit_code_of(kCommand, (*client)->send({.method = "DELETE", .target = hold_target(flags.name)}));
}

constexpr std::array kHoldActions{
    Action{"list", "list them", &list_holds},
    Action{"show", "show what one keeps, and why", &show_hold},
    Action{"place", "place one, or change it", &place_hold},
    Action{"release", "release one", &release_hold},
};

}  // namespace

int audit_hold_command(int argc, const char* const* argv) {
  return run_action("audit hold", kHoldActions, "Auditors may look, administrators may do all of it.", argc, argv);
}

}  // namespace stele::tools
