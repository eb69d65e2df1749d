#include "tools/commands/replay.h"

#include <fmt/core.h>

#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/replay/replay_request.h"
#include "tools/cli/color.h"
#include "tools/cli/columns.h"
#include "tools/cli/command_line.h"
#include "tools/cli/json_view.h"
#include "tools/cli/output.h"
#include "tools/cli/state_diff.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/replay_answer.h"
#include "tools/client/server_flags.h"
#include "tools/offline/offline_replay.h"

namespace stele::tools {

namespace {

constexpr const char* kReplayCommand = "stele replay";

struct ReplayFlags {
  ServerFlags server;
  std::string data;  ///< a folder instead of a server; empty: none
  ReplayRequest request;
  std::string handler_file;
  std::vector<std::uint64_t> diff;  ///< two sequence numbers, or none
  bool no_snapshot = false;
  bool json = false;

  void declare(CommandLine& app) {
    app.add_text("AGGREGATE", request.aggregate_id, "Its aggregateId").required();
    const auto number = [&](const char* flag, std::optional<std::uint64_t>& to, const char* help) {
      return app.add_parsed(flag, "N", "", help, [&to](const std::string& text) -> std::string {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return "is not a whole number";
        to = value;
        return {};
      });
    };
    number("--to-sequence", request.to_sequence, "Up to this sequence number; 0: before the first event")
        .group("When (one of them; none: now)");
    app.add_text("--to-time", request.to_time, "All that was stored at or before this time, RFC 3339")
        .type("TIME")
        .group("When (one of them; none: now)");
    app.add_text("--to-occurred", request.to_occurred, "All that happened (occurredAt) at or before this time")
        .type("TIME")
        .group("When (one of them; none: now)");
    app.add_text("--handler", request.handler,
                 "What folds: merge, last, or a handler of the aggregate's type, NAME or NAME@VERSION")
        .type("NAME")
        .group("How");
    app.add_text("--handler-file", handler_file, "Tries this script, without keeping it").type("FILE.js").group("How");
    app.add_switch("--no-snapshot", no_snapshot, "Fold from the first event on").group("How");
    number("--compare-to", request.compare_to, "Also what differs from the state at this sequence number")
        .group("Output");
    app.add_numbers("--diff", diff, 2, "A B", "Only what differs between the states at two sequence numbers")
        .group("Output");
    app.add_switch("--json", json, "The answer as the server gives it").group("Output");
    server.declare(app);
    app.add_text("--data", data,
                 "Read this data folder instead of asking a server; nothing in it is changed, and a server may use it")
        .type("DIR")
        .group("Without a server");
    app.footer(
        "The state goes to stdout. Exit status: 0 replayed, 1 refused or unreachable, 2 wrong usage. Differences are "
        "lines\n  - /path: old    + /path: new    ~ /path: old -> new");
  }

  /// Empty if there is no complaint.
  [[nodiscard]] std::string complaint() const {
    const int moments =
        (request.to_sequence ? 1 : 0) + (request.to_time.empty() ? 0 : 1) + (request.to_occurred.empty() ? 0 : 1);
    if (moments > 1) return "--to-sequence, --to-time and --to-occurred exclude each other";
    if (!request.handler.empty() && !handler_file.empty()) return "--handler and --handler-file exclude each other";
    if (!diff.empty() && (moments > 0 || request.compare_to)) {
      return "--diff excludes --compare-to and the flags that say when";
    }
    return {};
  }
};

/// Where answers come from.
using Replayer = std::function<Result<HttpResponse>(const ReplayRequest&)>;

Result<HttpResponse> replay_in_folder(OfflineReplay& folder, const ReplayRequest& request) {
  STELE_ASSIGN(const std::string body, replay_body(request));
  auto parsed = api::parse_replay_request(body);
  std::variant<std::string, api::Problem> answer;
  if (auto* const problem = std::get_if<api::Problem>(&parsed)) {
    answer = std::move(*problem);
  } else {
    answer = folder.replay(request.aggregate_id, std::get<api::ReplayRequest>(parsed));
  }
  if (auto* const state = std::get_if<std::string>(&answer)) {
    return HttpResponse{.status = 200, .headers = {}, .body = std::move(*state)};
  }
  api::Response refusal = std::get<api::Problem>(answer).response({});
  return HttpResponse{.status = refusal.status, .headers = {}, .body = std::move(refusal.body)};
}

std::string replay_heading(const JsonMembers& answer) {
  std::vector<std::vector<std::string>> lines;
  const std::string type = answer.text("aggregateType");
  lines.push_back({"aggregate", answer.text("aggregateId") + (type.empty() ? "" : " (" + type + ")")});
  lines.push_back({"number", answer.text("sequenceNumber")});
  if (const std::string time = answer.text("timestamp"); !time.empty()) lines.push_back({"time", time});
  const std::string version = answer.text("handler", "version");
  std::string handler = answer.text("handler", "name");
  if (handler.empty()) handler = "a script on trial";
  if (!version.empty()) handler += " version " + version;
  if (answer.text("handler", "pure") == "false") handler += ", not pure";
  lines.push_back({"handler", handler});
  std::string events = answer.text("eventsApplied") + " applied";
  for (const auto& [member, word] : {std::pair{"eventsIgnored", "ignored"}, std::pair{"eventsRedacted", "redacted"}}) {
    const std::string count = answer.text(member);
    if (!count.empty() && count != "0") events += ", " + count + " " + word;
  }
  lines.push_back({"events", events});
  const std::string snapshot = answer.text("snapshot", "sequenceNumber");
  const std::string source = answer.text("snapshot", "source");
  lines.push_back(
      {"snapshot", snapshot.empty() ? "none" : "at " + snapshot + (source.empty() ? "" : " (" + source + ")")});
  return columns(lines);
}

std::string folded_state(std::string_view answer) {
  return std::string(JsonMembers(answer).raw("state").value_or("null"));
}

/// A refusal is told, one of a script with its place in the file.
int told(const ReplayFlags& flags, const Result<HttpResponse>& answer) {
  if (answer && !flags.handler_file.empty()) {
    if (const std::string complaint = script_complaint(flags.handler_file, *answer); !complaint.empty()) {
      say("{}\n", complaint);
      return kExitFailure;
    }
  }
  return exit_code_of(kReplayCommand, answer);
}

/// The state at a number, folded in the same way; none after a refusal, which was told.
std::optional<std::string> state_at(const ReplayFlags& flags, const Replayer& replay, std::uint64_t number) {
  ReplayRequest request = flags.request;
  request.to_sequence = number;
  request.to_time.clear();
  request.to_occurred.clear();
  request.compare_to.reset();
  const auto answer = replay(request);
  if (told(flags, answer) != kExitOk) return std::nullopt;
  return folded_state(answer->body);
}

int show_difference(const ReplayFlags& flags, const Replayer& replay) {
  const auto before = state_at(flags, replay, flags.diff[0]);
  if (!before) return kExitFailure;
  const auto after = state_at(flags, replay, flags.diff[1]);
  if (!after) return kExitFailure;
  put(state_diff(*before, *after, colors_wanted()));
  return finish_output(kReplayCommand);
}

int show_state(const ReplayFlags& flags, const Replayer& replay) {
  ReplayRequest request = flags.request;
  if (!flags.diff.empty()) {
    request.to_sequence = flags.diff[1];
    request.compare_to = flags.diff[0];
  }
  if (!flags.json) request.compare_to.reset();  // answered from two states, because a patch does not say what was
  const auto answer = replay(request);
  if (const int code = told(flags, answer); code != kExitOk) return code;
  if (flags.json) {
    put(answer->body);
    put("\n");
    return finish_output(kReplayCommand);
  }
  const std::string state = folded_state(answer->body);
  put(replay_heading(JsonMembers(answer->body)));
  put("\n" + indented_json(state) + "\n");
  if (flags.request.compare_to) {
    const auto before = state_at(flags, replay, *flags.request.compare_to);
    if (!before) return kExitFailure;
    const std::string diff = state_diff(*before, state, colors_wanted());
    put(fmt::format("\nSince number {}:\n{}", *flags.request.compare_to, diff.empty() ? "no difference\n" : diff));
  }
  return finish_output(kReplayCommand);
}

int show_answers(const ReplayFlags& flags, const Replayer& replay) {
  return !flags.diff.empty() && !flags.json ? show_difference(flags, replay) : show_state(flags, replay);
}

}  // namespace

int replay_command(int argc, const char* const* argv) {
  ReplayFlags flags;
  CommandLine app("replay", "Folds the events of an aggregate and prints its state, as it is or as it was.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const std::string complaint = flags.complaint(); !complaint.empty())
    return wrong_usage(kReplayCommand, complaint);
  flags.request.use_snapshot = !flags.no_snapshot;
  if (!flags.handler_file.empty()) {
    auto source = read_file(flags.handler_file);
    if (!source) return unusable_input(kReplayCommand, source.error());
    flags.request.source = std::move(source).value();
  }
  if (const auto body = replay_body(flags.request); !body) return wrong_usage(kReplayCommand, body.error().describe());
  if (flags.data.empty()) {
    const auto client = flags.server.client(kFoldTimeouts);
    if (!client) return wrong_usage(kReplayCommand, client.error().describe());
    return show_answers(flags, [&](const ReplayRequest& request) { return replay_on_server(**client, request); });
  }
  const auto folder = OfflineReplay::open(flags.data, {.start_ahead = false});
  if (!folder) {
    say("{}: {}\n", kReplayCommand, folder.error().describe());
    return kExitFailure;
  }
  return show_answers(flags, [&](const ReplayRequest& request) { return replay_in_folder(**folder, request); });
}

}  // namespace stele::tools
