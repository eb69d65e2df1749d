#include "tools/commands/query.h"

#include <limits>

#include "tools/cli/command_line.h"
#include "tools/cli/table.h"
#include "tools/client/event_filters.h"
#include "tools/client/line_printer.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

struct QueryFlags {
  ServerFlags server;
  EventFilterFlags filters;
  std::string format = "ndjson";
  std::uint64_t limit = 0;
  std::string from, after_position, min_position, order;

  void declare(CommandLine& app) {
    filters.declare(app);
    app.add_text("--from", from, "Stored at or after this time, RFC 3339").type("TIME").group(kFiltersGroup);
    app.add_text("--after-position", after_position, "Only behind this position of the log")
        .type("N")
        .group(kFiltersGroup);
    app.add_text("--order", order, "Oldest first (the default) or newest first")
        .type("asc|desc")
        .one_of({"asc", "desc"})
        .group("Output");
    app.add_number("--limit", limit, 0, std::numeric_limits<std::int64_t>::max(), "Stop after so many events; 0: all")
        .group("Output");
    app.add_text("--format", format, "ndjson (one JSON object a line) or table (for people)")
        .type("FORMAT")
        .one_of({"ndjson", "table"})
        .group("Output");
    app.add_text("--min-position", min_position, "Wait (not for long) until this position can be read")
        .type("N")
        .group("Server");
    server.declare(app);
  }

  [[nodiscard]] std::string target() const {
    EventTarget target("/v1/events");
    filters.add_to(target);
    target.add("from", from);
    target.add("afterPosition", after_position);
    target.add("minPosition", min_position);
    target.add("order", order);
    return target.text();
  }
};

}  // namespace

int query_command(int argc, const char* const* argv) {
  QueryFlags flags;
  CommandLine app("query", "Prints events in the order of the log.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  static constexpr LineTable kTable{&table_heading, &table_row};
  return print_lines("stele query", flags.server, flags.target(), flags.format == "table" ? &kTable : nullptr,
                     flags.limit);
}

}  // namespace stele::tools
