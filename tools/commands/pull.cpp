#include "tools/commands/pull.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/quantity.h"
#include "tools/cli/table.h"
#include "tools/client/answers.h"
#include "tools/client/json_members.h"
#include "tools/client/server_flags.h"
#include "tools/client/subscription_requests.h"

namespace stele::tools {

namespace {

constexpr const char* kPull = "stele pull";

struct PullFlags {
  ServerFlags server;
  std::string id;
  std::uint64_t limit = 0;
  std::chrono::microseconds wait{0}, lease{0};
  bool ack = false, json = false;

  void declare(CommandLine& app) {
    app.add_text("SUBSCRIPTION", id, "Id of a subscription made with --pull").required();
    app.add_number("--limit", limit, 0, 10'000, "So many events at most; 0: the server's default").group("Pull");
    app.add_duration("--wait", wait, std::chrono::microseconds{0}, std::chrono::seconds{30},
                     "How long to wait for the first event")
        .group("Pull");
    app.add_duration("--lease", lease, std::chrono::microseconds{0}, std::chrono::hours{24},
                     "How long nobody else is given them; 0: the server's default")
        .group("Pull");
    app.add_switch("--ack", ack, "Acknowledge them once they are printed; else they come again after the lease")
        .group("Pull");
    app.add_switch("--json", json, "One JSON object a line, instead of a table").group("Output");
    server.declare(app);
  }

  [[nodiscard]] std::string body() const {
    std::string text;
    api::JsonWriter writer(text);
    writer.begin_object();
    if (limit != 0) writer.key("limit").number(limit);
    if (wait.count() != 0) writer.key("wait").plain(format_duration(wait));
    if (lease.count() != 0) writer.key("lease").plain(format_duration(lease));
    writer.end_object();
    return text;
  }
};

}  // namespace

int pull_command(int argc, const char* const* argv) {
  PullFlags flags;
  CommandLine app("pull", "Fetches events of a subscription, which nobody else is given meanwhile.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client();
  if (!client) return wrong_usage(kPull, client.error().describe());
  const auto answer = post_json(**client, subscription_target(flags.id, "/pull"), flags.body());
  if (const int code = exit_code_of(kPull, answer); code != kExitOk) return code;
  const JsonMembers members(answer->body);
  const auto events = members.list("events");
  const std::string lease = members.text("leaseId");
  if (!flags.json && !events.empty()) put(table_heading() + "\n");
  for (const std::string_view event : events) {
    std::string line;
    if (flags.json) {
      api::append_minified(line, event);
    } else {
      line = table_row(event, terminal_columns());
    }
    put(line + "\n");
  }
  // What was not printed comes again.
  if (const int code = finish_output(kPull); code != kExitOk || events.empty()) return code;
  if (!flags.ack) {
    say("{}: not acknowledged: lease {}\n", kPull, lease);
    return kExitOk;
  }
  std::string body;
  api::JsonWriter(body).begin_object().key("leaseId").string(lease).end_object();
  return exit_code_of(kPull, post_json(**client, subscription_target(flags.id, "/ack"), body));
}

}  // namespace stele::tools
