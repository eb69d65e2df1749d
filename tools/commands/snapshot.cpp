#include "tools/commands/snapshot.h"

#include <fmt/core.h>

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "api/http/percent.h"
#include "api/json/json_writer.h"
#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/json_view.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

/// `path` with `name` behind it, percent-encoded.
std::string target(std::string path, std::string_view name) {
  api::append_percent_encoded(path, name);
  return path;
}

void declare_json(CommandLine& app, bool& json) {
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
}

std::string snapshot_heading(const JsonMembers& answer) {
  std::vector<std::vector<std::string>> lines;
  const std::string type = answer.text("aggregateType");
  lines.push_back({"aggregate", answer.text("aggregateId") + (type.empty() ? "" : " (" + type + ")")});
  lines.push_back({"number", answer.text("sequenceNumber")});
  if (const std::string time = answer.text("timestamp"); !time.empty()) lines.push_back({"time", time});
  const std::string version = answer.text("handler", "version");
  const std::string handler = answer.text("handler", "name");
  if (!handler.empty()) lines.push_back({"handler", handler + (version.empty() ? "" : " version " + version)});
  lines.push_back({"source", answer.text("source")});
  return columns(lines);
}

int take_snapshot(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele snapshot take";
  ServerFlags server;
  std::string aggregate;
  bool json = false;
  CommandLine app("snapshot take", "Folds the events of an aggregate by its handler and keeps the state.");
  app.add_text("AGGREGATE", aggregate, "Its aggregateId").required();
  declare_json(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client(kFoldTimeouts);
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.method = "POST", .target = target("/v1/events/snapshot/", aggregate)};
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = "{}";
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : snapshot_heading(JsonMembers(answer->body)));
  return finish_output(kCommand);
}

int show_snapshot(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele snapshot show";
  ServerFlags server;
  std::string aggregate;
  std::string source;
  std::uint64_t sequence = 0;
  bool json = false;
  CommandLine app("snapshot show", "Prints the newest snapshot of an aggregate.");
  app.add_text("AGGREGATE", aggregate, "Its aggregateId").required();
  app.add_number("--sequence", sequence, 0, std::numeric_limits<std::int64_t>::max(),
                 "The newest at or before this sequence number; 0: of all")
      .group("Which");
  app.add_text("--source", source, "folded (the default) or client: a state that a client left here")
      .type("SOURCE")
      .one_of({"folded", "client"})
      .group("Which");
  declare_json(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  HttpRequest request{.target = target("/v1/events/snapshot/", aggregate)};
  char separator = '?';
  if (sequence != 0) request.target += std::exchange(separator, '&') + fmt::format("sequenceNumber={}", sequence);
  if (!source.empty()) request.target += separator + ("source=" + source);
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  if (json) {
    put(answer->body + "\n");
  } else {
    const JsonMembers members(answer->body);
    put(snapshot_heading(members) + "\n" + indented_json(members.raw("state").value_or("null")) + "\n");
  }
  return finish_output(kCommand);
}

std::vector<std::string> policy_line(const std::string& type, const JsonMembers& policy) {
  const std::string every = policy.text("everyEvents");
  return {type, every == "0" ? "off" : every, policy.text("keep")};
}

int policy_list(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele snapshot policy list";
  ServerFlags server;
  bool json = false;
  CommandLine app("snapshot policy list", "Lists after how many events snapshots are taken, by aggregate type.");
  declare_json(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.target = "/v1/snapshot-policies"});
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  if (json) {
    put(answer->body + "\n");
    return finish_output(kCommand);
  }
  const JsonMembers members(answer->body);
  std::vector<std::vector<std::string>> lines{{"TYPE", "EVERY", "KEEP"}};
  lines.push_back(policy_line("(all others)", JsonMembers(members.raw("default").value_or("{}"))));
  for (const std::string_view policy : members.list("policies")) {
    const JsonMembers of_type(policy);
    lines.push_back(policy_line(of_type.text("aggregateType"), of_type));
  }
  put(columns(lines));
  return finish_output(kCommand);
}

int policy_set(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele snapshot policy set";
  ServerFlags server;
  std::string type;
  std::uint64_t every = 0;
  std::uint64_t keep = 0;
  bool json = false;
  CommandLine app("snapshot policy set", "Says after how many events snapshots of an aggregate type are taken.");
  app.add_text("TYPE", type, "The aggregateType").required();
  app.add_number("--every", every, 0, std::numeric_limits<std::int64_t>::max(), "After so many events; 0: never")
      .required()
      .group("Policy");
  app.add_number("--keep", keep, 0, std::numeric_limits<std::int32_t>::max(),
                 "How many are kept; 0: as many as the server does by default")
      .group("Policy");
  declare_json(app, json);
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  std::string body;
  api::JsonWriter writer(body);
  writer.begin_object().key("everyEvents").number(every);
  if (keep != 0) writer.key("keep").number(keep);
  writer.end_object();
  HttpRequest request{.method = "PUT", .target = target("/v1/snapshot-policies/", type)};
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  const auto answer = (*client)->send(request);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  put(json ? answer->body + "\n" : columns({{"TYPE", "EVERY", "KEEP"}, policy_line(type, JsonMembers(answer->body))}));
  return finish_output(kCommand);
}

int policy_remove(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele snapshot policy remove";
  ServerFlags server;
  std::string type;
  CommandLine app("snapshot policy remove", "Lets the default hold for an aggregate type again.");
  app.add_text("TYPE", type, "The aggregateType").required();
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = (*client)->send({.method = "DELETE", .target = target("/v1/snapshot-policies/", type)});
  return exit_code_of(kCommand, answer);
}

constexpr std::array kPolicyActions{
    Action{"list", "list the policies", &policy_list},
    Action{"set", "set that of an aggregate type", &policy_set},
    Action{"remove", "remove that of an aggregate type", &policy_remove},
};

int policy_command(int argc, const char* const* argv) {
  return run_action("snapshot policy", kPolicyActions, "Administrators may do this.", argc, argv);
}

constexpr std::array kSnapshotActions{
    Action{"take", "fold an aggregate and keep its state", &take_snapshot},
    Action{"show", "print the newest snapshot", &show_snapshot},
    Action{"policy", "how often they are taken by themselves", &policy_command},
};

}  // namespace

int snapshot_command(int argc, const char* const* argv) {
  return run_action("snapshot", kSnapshotActions, "Results go to stdout, words to stderr.", argc, argv);
}

}  // namespace stele::tools
