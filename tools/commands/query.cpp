#include "tools/commands/query.h"

#include <chrono>
#include <limits>

#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/table.h"
#include "tools/client/answers.h"
#include "tools/client/event_filters.h"
#include "tools/client/http_client.h"
#include "tools/client/problem.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

/// The server may search through very many events before it finds one.
constexpr std::chrono::seconds kSilentMax{600};

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

/// Gives out whole lines of a body that arrives in pieces.
class LinePrinter {
 public:
  LinePrinter(bool table, std::uint64_t limit)
      : table_(table), limit_(limit), columns_(table ? terminal_columns() : 0) {}

  /// False when nothing more is wanted.
  [[nodiscard]] bool take(std::string_view piece) {
    while (!piece.empty()) {
      const auto newline = piece.find('\n');
      rest_.append(piece.substr(0, newline));
      if (newline == std::string_view::npos) return true;
      piece.remove_prefix(newline + 1);
      print_line();
      if (output_failed() || (limit_ != 0 && printed_ == limit_)) return false;
    }
    return true;
  }
  void finish() {
    if (!rest_.empty()) print_line();
  }

 private:
  void print_line() {
    if (table_ && printed_ == 0) print(table_heading());
    print(table_ ? table_row(rest_, columns_) : rest_);
    rest_.clear();
    ++printed_;
  }
  static void print(std::string_view line) {
    put(line);
    put("\n");
  }

  bool table_;
  std::uint64_t limit_;
  std::size_t columns_;
  std::uint64_t printed_ = 0;
  std::string rest_;
};

}  // namespace

int query_command(int argc, const char* const* argv) {
  QueryFlags flags;
  CommandLine app("query", "Prints events in the order of the log.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  HttpTimeouts timeouts;
  timeouts.transfer = kSilentMax;
  const auto client = flags.server.client(timeouts);
  if (!client) return wrong_usage("stele query", client.error().describe());
  HttpRequest request;
  request.target = flags.target();
  request.headers.emplace_back("Accept", "application/x-ndjson");
  LinePrinter printer(flags.format == "table", flags.limit);
  const auto response = (*client)->stream(request, [&](std::string_view piece) { return printer.take(piece); });
  if (!response) {
    (void)flush_output();  // the failure is told all the same
    say("stele query: {}\n", response.error().describe());
    return kExitFailure;
  }
  if (response->status / 100 != 2) {
    say("stele query: refused: {}\n", read_problem(*response).describe());
    return kExitFailure;
  }
  printer.finish();
  return finish_output("stele query");
}

}  // namespace stele::tools
