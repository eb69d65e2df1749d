#include "tools/commands/audit.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "tools/cli/actions.h"
#include "tools/cli/command_line.h"
#include "tools/client/audit_view.h"
#include "tools/client/event_filters.h"
#include "tools/client/line_printer.h"
#include "tools/client/server_flags.h"
#include "tools/commands/audit_bundle.h"
#include "tools/commands/audit_hold.h"
#include "tools/commands/audit_retention.h"

namespace stele::tools {

namespace {

struct AuditListFlags {
  ServerFlags server;
  std::string user, principal, from, to, action, resource, outcome, correlation_id, order;
  std::uint64_t limit = 0;
  bool json = false;

  void declare(CommandLine& app) {
    app.add_text("--user", user, "Who acted").type("ID").group(kFiltersGroup);
    app.add_text("--principal", principal, "Whose key or token it was").type("NAME").group(kFiltersGroup);
    app.add_text("--from", from, "Recorded at or after this time, RFC 3339").type("TIME").group(kFiltersGroup);
    app.add_text("--to", to, "Recorded before this time").type("TIME").group(kFiltersGroup);
    app.add_text("--action", action, "What was done, such as event.append or events.query")
        .type("NAME")
        .group(kFiltersGroup);
    app.add_text("--resource", resource, "What it was about, such as aggregate:mission/1")
        .type("KIND:NAME")
        .group(kFiltersGroup);
    app.add_text("--outcome", outcome, "What became of it")
        .type("done|refused|failed")
        .one_of({"done", "refused", "failed"})
        .group(kFiltersGroup);
    app.add_text("--correlation-id", correlation_id, "What it was a part of").type("ID").group(kFiltersGroup);
    app.add_text("--order", order, "Oldest first (the default) or newest first")
        .type("asc|desc")
        .one_of({"asc", "desc"})
        .group("Output");
    app.add_number("--limit", limit, 0, std::numeric_limits<std::int64_t>::max(), "Stop after so many records; 0: all")
        .group("Output");
    app.add_switch("--json", json, "One JSON object a line, instead of a table").group("Output");
    server.declare(app);
  }

  [[nodiscard]] std::string target() const {
    EventTarget target("/v1/events/audit");
    target.add("userId", user);
    target.add("principal", principal);
    target.add("from", from);
    target.add("to", to);
    target.add("action", action);
    target.add("resource", resource);
    target.add("outcome", outcome);
    target.add("correlationId", correlation_id);
    target.add("order", order);
    return target.text();
  }
};

int list_audit(int argc, const char* const* argv) {
  AuditListFlags flags;
  CommandLine app("audit list", "Prints who did what, in the order of the log: events, reads, refusals and commands.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  static constexpr LineTable kTable{&audit_heading, &audit_row};
  return print_lines("stele audit list", flags.server, flags.target(), flags.json ? nullptr : &kTable, flags.limit);
}

constexpr std::array kAuditActions{
    Action{"list", "list who did what", &list_audit},
    Action{"bundle", "write events and what proves them into one file", &audit_bundle_command},
    Action{"hold", "legal holds: what is kept, whatever is asked for", &audit_hold_command},
    Action{"retention", "how long bodies of actions are kept", &audit_retention_command},
};

}  // namespace

int audit_command(int argc, const char* const* argv) {
  return run_action("audit", kAuditActions, "With authentication on it needs the role auditor or admin.", argc, argv);
}

}  // namespace stele::tools
