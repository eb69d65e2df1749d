#include "tools/commands/audit_retention.h"

#include <array>
#include <string>
#include <vector>

#include "api/endpoint/audited_action.h"
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

constexpr const char* kRetentionTarget = "/v1/audit/retention";

std::string retention_table(const std::string& body) {
  const JsonMembers answer(body);
  std::vector<std::vector<std::string>> lines{{"CLASS", "KEPT", "POLICY", "MINIMUM"}};
  for (const api::ActionClass each : api::kActionClasses) {
    const std::string name(api::name_of(each));
    lines.push_back({name, answer.text("effective", name), answer.text("policy", name), answer.text("minimum", name)});
  }
  return columns(lines);
}

int show_retention(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit retention show";
  ServerFlags server;
  bool json = false;
  CommandLine app("audit retention show", "Shows how long the bodies of actions are kept, by class.");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.target = kRetentionTarget});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : retention_table(answer->body));
  return finish_output(kCommand);
}

int set_retention(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele audit retention set";
  ServerFlags server;
  bool json = false;
  std::array<std::string, api::kActionClasses.size()> times;
  CommandLine app(
      "audit retention set",
      "Says how long the bodies of actions are kept, for all classes at once: a day at least, such as 90d, or\n"
      "forever, which is what a class has that is not named. Once a day those whose time is over are removed.");
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::string name(api::name_of(api::kActionClasses[i]));
    app.add_text("--" + name, times[i], "Of the class " + name).type("TIME").group("Classes");
  }
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.method = "PUT", .target = kRetentionTarget};
  request.headers.emplace_back("Content-Type", "application/json");
  std::string body;
  api::JsonWriter writer(body);
  writer.begin_object();
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!times[i].empty()) writer.key(api::name_of(api::kActionClasses[i])).string(times[i]);
  }
  writer.end_object();
  request.body = body;
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : retention_table(answer->body));
  return finish_output(kCommand);
}

constexpr std::array kRetentionActions{
    Action{"show", "show how long bodies of actions are kept", &show_retention},
    Action{"set", "say how long", &set_retention},
};

}  // namespace

int audit_retention_command(int argc, const char* const* argv) {
  return run_action("audit retention", kRetentionActions, "Auditors may look, administrators may set it.", argc, argv);
}

}  // namespace stele::tools
