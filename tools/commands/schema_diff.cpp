#include "tools/commands/schema_diff.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/endpoint/options.h"
#include "api/json/json_writer.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/schema_change.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"
#include "tools/commands/schema_check.h"

namespace stele::tools {

namespace {

constexpr const char* kDiffCommand = "stele schema diff";

struct DiffFlags {
  ServerFlags server;
  std::string type;
  std::string from;
  std::string to;
  std::string policy = "lenient";
  bool json = false;

  void declare(CommandLine& app) {
    app.add_text("TYPE", type, "The event type").required();
    app.add_text("FROM", from, "The number of a registered version, or a file with a JSON Schema").required();
    app.add_text("TO", to, "The same").required();
    app.add_text("--policy", policy, "Whether an optional property may come and go")
        .one_of({"lenient", "strict"})
        .group("How");
    app.add_switch("--json", json, "The changes as JSON").group("Output");
    server.declare(app);
    app.footer(
        "A change is backward if data that satisfies FROM may not satisfy TO, forward if it is the other way round. "
        "A server is asked for registered versions only. Exit status: 0 compared, 1 failure, 2 wrong usage.");
  }
};

bool is_version(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The text of a schema; none if there is none, which was told.
std::optional<std::string> schema_text(const DiffFlags& flags, const std::string& which, HttpClient& client) {
  std::string text;
  if (is_version(which)) {
    const auto answer = client.send({.target = schemas_path(flags.type) + "/versions/" + which});
    if (exit_code_of(kDiffCommand, answer) != kExitOk) return std::nullopt;
    text = JsonMembers(answer->body).raw("schema").value_or("");
  } else {
    auto file = read_file(which);
    if (!file) {
      (void)wrong_usage(kDiffCommand, file.error().describe());
      return std::nullopt;
    }
    text = std::move(file).value();
  }
  const auto compiled = api::compile_schema(text);
  if (const auto* const fault = std::get_if<api::SchemaError>(&compiled)) {
    say("{}: {}: '{}': {}\n", kDiffCommand, which, fault->pointer, fault->detail);
    return std::nullopt;
  }
  return text;
}

struct Direction {
  std::string_view name;
  api::SchemaDifferences changes;
};

std::string as_json(const std::vector<Direction>& directions) {
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().key("changes").begin_array();
  for (const Direction& direction : directions) {
    for (const api::SchemaDifference& change : direction.changes) {
      json.begin_object().key("direction").plain(direction.name).key("pointer").string(change.pointer);
      json.key("rule").plain(change.rule).key("detail").string(change.detail).end_object();
    }
  }
  json.end_array().end_object();
  return text + "\n";
}

std::string as_table(const std::vector<Direction>& directions) {
  std::vector<std::vector<std::string>> lines{{"DIRECTION", "POINTER", "RULE", "DETAIL"}};
  for (const Direction& direction : directions) {
    for (const api::SchemaDifference& change : direction.changes) {
      lines.push_back({std::string(direction.name), change.pointer, std::string(change.rule), change.detail});
    }
  }
  return lines.size() == 1 ? "" : columns(lines);
}

}  // namespace

int schema_diff_command(int argc, const char* const* argv) {
  DiffFlags flags;
  CommandLine app("schema diff", "Says what keeps one schema from taking the place of another.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kDiffCommand, client.error().describe());
  const auto from = schema_text(flags, flags.from, **client);
  if (!from) return kExitFailure;
  const auto to = schema_text(flags, flags.to, **client);
  if (!to) return kExitFailure;
  const api::SchemaPolicy policy = *api::schema_policy_of(flags.policy);
  api::WorkBudget work(api::Limits().schema_comparison_work);
  const std::vector<Direction> directions{{"backward", api::breaking_differences(*from, *to, policy, work)},
                                          {"forward", api::breaking_differences(*to, *from, policy, work)}};
  if (work.exhausted()) {
    say("{}: to compare them takes too much work\n", kDiffCommand);
    return kExitFailure;
  }
  put(flags.json ? as_json(directions) : as_table(directions));
  for (const Direction& direction : directions) {
    if (direction.changes.empty()) say("{}: nothing breaks\n", direction.name);
  }
  return finish_output(kDiffCommand);
}

}  // namespace stele::tools
