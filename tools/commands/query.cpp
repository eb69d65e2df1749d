#include "tools/commands/query.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <limits>

#include "api/http/percent.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/table.h"
#include "tools/client/credentials.h"
#include "tools/client/http_client.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

/// The server may search through very many events before it finds one.
constexpr std::chrono::seconds kSilentMax{600};

struct QueryFlags {
  std::string url = "http://127.0.0.1:8080";
  HttpTls tls;
  Credentials credentials;
  std::string format = "ndjson";
  std::uint64_t limit = 0;
  std::vector<std::string> event_types;
  std::vector<std::string> tags;
  struct Filter {
    const char* parameter;
    std::string value;
  };
  Filter aggregate{"aggregateId", {}};
  Filter aggregate_type{"aggregateType", {}};
  Filter user{"userId", {}};
  Filter correlation_id{"correlationId", {}};
  Filter from{"from", {}};
  Filter to{"to", {}};
  Filter occurred_from{"occurredFrom", {}};
  Filter occurred_to{"occurredTo", {}};
  Filter from_sequence{"fromSequence", {}};
  Filter to_sequence{"toSequence", {}};
  Filter after_position{"afterPosition", {}};
  Filter min_position{"minPosition", {}};
  Filter order{"order", {}};
  bool include_system = false;

  void declare(CommandLine& app) {
    const auto add = [&](const char* flag, Filter& filter, const char* type, const char* help) {
      return app.add_text(flag, filter.value, help).type(type).group("Filters (all of them must match)");
    };
    add("--aggregate", aggregate, "ID", "aggregateId");
    add("--aggregate-type", aggregate_type, "TEXT", "aggregateType");
    app.add_texts("--type", event_types, "TEXT", "eventType; may be repeated: any of them")
        .group("Filters (all of them must match)");
    app.add_texts("--tag", tags, "TEXT", "tag; may be repeated: all of them").group("Filters (all of them must match)");
    add("--user", user, "ID", "userId");
    add("--correlation-id", correlation_id, "ID", "correlationId");
    add("--from", from, "TIME", "Stored at or after this time, RFC 3339");
    add("--to", to, "TIME", "Stored before this time");
    add("--occurred-from", occurred_from, "TIME", "Happened (occurredAt) at or after this time");
    add("--occurred-to", occurred_to, "TIME", "Happened before this time");
    add("--from-sequence", from_sequence, "N", "Sequence number in the aggregate, from this one");
    add("--to-sequence", to_sequence, "N", "... to this one");
    add("--after-position", after_position, "N", "Only behind this position of the log");
    app.add_switch("--include-system", include_system, "The store's own records too")
        .group("Filters (all of them must match)");
    add("--order", order, "asc|desc", "Oldest first (the default) or newest first")
        .one_of({"asc", "desc"})
        .group("Output");
    app.add_number("--limit", limit, 0, std::numeric_limits<std::int64_t>::max(), "Stop after so many events; 0: all")
        .group("Output");
    app.add_text("--format", format, "ndjson (one JSON object a line) or table (for people)")
        .type("FORMAT")
        .one_of({"ndjson", "table"})
        .group("Output");
    add("--min-position", min_position, "N", "Wait (not for long) until this position can be read").group("Server");
    app.add_url(url);
    app.add_tls(tls);
    credentials.declare(app);
  }

  [[nodiscard]] std::string target() const {
    std::string text = "/v1/events";
    char separator = '?';
    const auto append = [&](std::string_view name, std::string_view value) {
      text += separator;
      text += name;
      text += '=';
      api::append_percent_encoded(text, value);
      separator = '&';
    };
    for (const auto* filter : {&aggregate, &aggregate_type, &user, &correlation_id, &from, &to, &occurred_from,
                               &occurred_to, &from_sequence, &to_sequence, &after_position, &min_position, &order}) {
      if (!filter->value.empty()) append(filter->parameter, filter->value);
    }
    for (const auto& type : event_types) append("eventType", type);
    for (const auto& tag : tags) append("tag", tag);
    if (include_system) append("includeSystem", "true");
    return text;
  }
};

std::size_t table_columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return std::numeric_limits<std::size_t>::max();  // into a file or pipe: nothing is cut
}

/// Gives out whole lines of a body that arrives in pieces.
class LinePrinter {
 public:
  LinePrinter(bool table, std::uint64_t limit) : table_(table), limit_(limit), columns_(table ? table_columns() : 0) {}

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
  auto url = parse_http_url(flags.url);
  if (!url) {
    say("stele query: {}\n", url.error().describe());
    return kExitUsage;
  }
  auto token = flags.credentials.token();
  if (!token) {
    say("stele query: {}\n", token.error().describe());
    return kExitUsage;
  }
  HttpRequest request;
  request.target = flags.target();
  request.headers.emplace_back("Accept", "application/x-ndjson");
  HttpTimeouts timeouts;
  timeouts.transfer = kSilentMax;
  HttpClient client(std::move(url).value(), flags.tls, timeouts);
  client.authorize(std::move(token).value());
  LinePrinter printer(flags.format == "table", flags.limit);
  const auto response = client.stream(request, [&](std::string_view piece) { return printer.take(piece); });
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
