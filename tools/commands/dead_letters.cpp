#include "tools/commands/dead_letters.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json_writer.h"
#include "tools/cli/actions.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"
#include "tools/client/subscription_requests.h"

namespace stele::tools {

namespace {

constexpr const char* kSubscriptionHelp = "Id of the subscription";

/// Which dead letters are meant.
struct DeadLetterFlags {
  std::vector<std::string> positions, event_types, aggregates;
  std::string error, older_than;
  std::uint64_t status = 0;

  void declare(CommandLine& app) {
    constexpr const char* kGroup = "Which (all must match; none given: all)";
    app.add_texts("--position", positions, "N", "Of the event; may be repeated, and stands alone").group(kGroup);
    app.add_text("--error", error, "Class of its last failure, as 'stele dead-letters list' shows it")
        .type("TEXT")
        .group(kGroup);
    app.add_number("--status", status, 0, 999, "Status of its last answer; 0: any, or none").group(kGroup);
    app.add_texts("--type", event_types, "TEXT", "eventType; may be repeated: any of them").group(kGroup);
    app.add_texts("--aggregate", aggregates, "ID", "aggregateId; may be repeated: any of them").group(kGroup);
    app.add_text("--older-than", older_than, "Given up at least so long ago, like 2h").type("TIME").group(kGroup);
  }

  [[nodiscard]] bool has_where() const {
    return !error.empty() || status != 0 || !event_types.empty() || !aggregates.empty() || !older_than.empty();
  }
  [[nodiscard]] std::string complaint() const {
    if (!positions.empty() && has_where()) return "--position and the other filters exclude each other";
    for (const std::string& position : positions) {
      if (position.find_first_not_of("0123456789") != std::string::npos || position.size() > 19) {
        return "--position: '" + position + "' is no position";
      }
    }
    return {};
  }
  /// Into the object that is open.
  void write(api::JsonWriter& writer) const {
    if (!positions.empty()) {
      writer.key("positions").begin_array();
      for (const std::string& position : positions) writer.number(std::stoull(position));
      writer.end_array();
    }
    if (!has_where()) return;
    writer.key("where").begin_object();
    if (!error.empty()) writer.key("error").string(error);
    if (status != 0) writer.key("status").number(status);
    write_any_of(writer, "eventTypes", event_types);
    write_any_of(writer, "aggregateIds", aggregates);
    if (!older_than.empty()) writer.key("olderThan").string(older_than);
    writer.end_object();
  }

 private:
  static void write_any_of(api::JsonWriter& writer, std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    writer.key(name).begin_array();
    for (const std::string& text : texts) writer.string(text);
    writer.end_array();
  }
};

int list_dead_letters(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele dead-letters list";
  ServerFlags server;
  std::string id;
  bool held = false, json = false;
  CommandLine app("dead-letters list", "Lists events that a subscription has given up.");
  app.add_text("SUBSCRIPTION", id, kSubscriptionHelp).required();
  app.add_switch("--held", held, "Instead, aggregates whose events wait because an earlier one failed").group("Which");
  app.add_switch("--json", json, "One JSON object a line, instead of a table").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  EventTarget target(subscription_target(id, "/dead-letters"));
  target.add("held", held ? "true" : "");
  std::vector<std::vector<std::string>> lines;
  if (held) {
    lines.push_back({"AGGREGATE", "FROM", "ATTEMPTS", "PARKED", "NEXT ATTEMPT"});
  } else {
    lines.push_back({"POSITION", "TIME", "AGGREGATE", "TYPE", "ATTEMPTS", "ERROR", "STATUS"});
  }
  const int code =
      for_each_listed(kCommand, **client, target, held ? "held" : "deadLetters", [&](std::string_view element) {
        const JsonMembers letter(element);
        if (json) {
          put(std::string(element) + "\n");
        } else if (held) {
          lines.push_back({letter.text("aggregateId"), letter.text("from"), letter.text("attempts"),
                           letter.text("parked") == "true" ? "yes" : "no", letter.text("nextAttempt")});
        } else {
          lines.push_back({letter.text("position"), letter.text("timestamp"), letter.text("aggregateId"),
                           letter.text("eventType"), letter.text("attempts"), letter.text("error"),
                           letter.text("status")});
        }
        return !output_failed();
      });
  if (code != kExitOk) return code;
  if (!json) put(columns(lines));
  return finish_output(kCommand);
}

/// Asks for a redrive; the answer names the positions.
Result<HttpResponse> redrive(HttpClient& client, const std::string& id, const DeadLetterFlags& which,
                             std::uint64_t per_second, bool dry_run) {
  std::string body;
  api::JsonWriter writer(body);
  writer.begin_object();
  which.write(writer);
  if (per_second != 0) writer.key("perSecond").number(per_second);
  if (dry_run) writer.key("dryRun").boolean(true);
  writer.end_object();
  return post_json(client, subscription_target(id, "/dead-letters/redrive"), body);
}

int redrive_dead_letters(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele dead-letters redrive";
  ServerFlags server;
  DeadLetterFlags which;
  std::string id;
  std::uint64_t per_second = 0;
  bool dry_run = false, json = false;
  CommandLine app("dead-letters redrive", "Delivers events again that a subscription has given up.");
  app.add_text("SUBSCRIPTION", id, kSubscriptionHelp).required();
  which.declare(app);
  app.add_number("--per-second", per_second, 0, 1'000'000, "So many a second at most; 0: as fast as it goes")
      .group("How");
  app.add_switch("--dry-run", dry_run, "Deliver nothing, say which would be").group("How");
  app.add_switch("--json", json, "The answer as the server gives it").group("Output");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const std::string complaint = which.complaint(); !complaint.empty()) return wrong_usage(kCommand, complaint);
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  const auto answer = redrive(**client, id, which, per_second, dry_run);
  if (const int code = exit_code_of(kCommand, answer); code != kExitOk) return code;
  const auto positions = JsonMembers(answer->body).list("positions");
  if (json) {
    put(answer->body + "\n");
  } else {
    for (const std::string_view position : positions) put(std::string(position) + "\n");
  }
  say("{} {}\n", positions.size(), dry_run ? "would be delivered again" : "are delivered again");
  return finish_output(kCommand);
}

int drop_dead_letters(int argc, const char* const* argv) {
  constexpr const char* kCommand = "stele dead-letters drop";
  ServerFlags server;
  DeadLetterFlags which;
  std::string id;
  bool all = false, dry_run = false;
  CommandLine app("dead-letters drop", "Forgets events that a subscription has given up: they are not delivered.");
  app.add_text("SUBSCRIPTION", id, kSubscriptionHelp).required();
  which.declare(app);
  app.add_switch("--all", all, "Without a filter: all of them").group("How");
  app.add_switch("--dry-run", dry_run, "Forget nothing, say which would be").group("How");
  server.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const std::string complaint = which.complaint(); !complaint.empty()) return wrong_usage(kCommand, complaint);
  if (all == (which.has_where() || !which.positions.empty())) {
    return wrong_usage(kCommand, "say which: --position, another filter, or --all alone");
  }
  const auto client = server.client();
  if (!client) return wrong_usage(kCommand, client.error().describe());
  // The server alone knows what a filter selects.
  const auto selected = redrive(**client, id, which, 0, true);
  if (const int code = exit_code_of(kCommand, selected); code != kExitOk) return code;
  std::uint64_t dropped = 0;
  for (const std::string_view position : JsonMembers(selected->body).list("positions")) {
    if (!dry_run) {
      const std::string target = subscription_target(id, "/dead-letters/" + std::string(position));
      const auto answer = (*client)->send({.method = "DELETE", .target = target});
      const bool is_gone = answer && answer->status == 404;  // meanwhile, by somebody else
      if (const int code = is_gone ? kExitOk : exit_code_of(kCommand, answer); code != kExitOk) return code;
    }
    put(std::string(position) + "\n");
    ++dropped;
  }
  say("{} {}\n", dropped, dry_run ? "would be dropped" : "dropped");
  return finish_output(kCommand);
}

constexpr std::array kDeadLetterActions{
    Action{"list", "list events that were given up", &list_dead_letters},
    Action{"redrive", "deliver them again", &redrive_dead_letters},
    Action{"drop", "forget them", &drop_dead_letters},
};

}  // namespace

int dead_letters_command(int argc, const char* const* argv) {
  return run_action("dead-letters", kDeadLetterActions, "Dead letters are events that a subscription has given up.",
                    argc, argv);
}

}  // namespace stele::tools
