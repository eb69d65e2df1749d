#include "tools/commands/tail.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>

#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/table.h"
#include "tools/client/answers.h"
#include "tools/client/event_filters.h"
#include "tools/client/event_stream.h"
#include "tools/client/http_client.h"
#include "tools/client/problem.h"
#include "tools/client/server_flags.h"

namespace stele::tools {

namespace {

/// The server says something every ten seconds.
constexpr HttpTimeouts kTailTimeouts{.transfer = std::chrono::seconds{40}};
constexpr std::int64_t kPauseMsMax = 5'000;

struct TailFlags {
  ServerFlags server;
  EventFilterFlags filters;
  std::string from = "now";
  bool json = false;
  std::uint64_t limit = 0;

  void declare(CommandLine& app) {
    app.add_text("--from", from,
                 "now, beginning, a position (everything behind it) or a time (RFC 3339; everything stored since)")
        .type("WHERE");
    app.add_switch("--json", json, "One JSON object a line, instead of a table");
    app.add_number("--limit", limit, 0, std::numeric_limits<std::int64_t>::max(),
                   "Stop after so many events; 0: go on until it is ended");
    filters.declare(app);
    server.declare(app);
  }

  [[nodiscard]] std::string target() const {
    EventTarget target("/v1/events/stream");
    const bool is_position = from.find_first_not_of("0123456789") == std::string::npos;
    const bool is_start = from == "now" || from == "beginning" || is_position;
    target.add("start", is_start ? from : "beginning");
    if (!is_start) target.add("from", from);
    filters.add_to(target);
    return target.text();
  }
};

class EventPrinter {
 public:
  EventPrinter(bool json, std::uint64_t limit) : json_(json), limit_(limit) {}

  /// False when nothing more is wanted.
  [[nodiscard]] bool print(const ServerSentEvent& event) {
    if (event.name != "message") return true;
    if (!json_ && printed_ == 0) put(table_heading() + "\n");
    put(json_ ? event.data : table_row(event.data, terminal_columns()));
    put("\n");
    ++printed_;
    return !is_done();
  }
  [[nodiscard]] bool is_done() const { return output_failed() || (limit_ != 0 && printed_ == limit_); }

 private:
  const bool json_;
  const std::uint64_t limit_;
  std::uint64_t printed_ = 0;
};

/// Follows the stream over outages of the server. A first attempt that fails is the last one: the URL may be wrong.
class Tail {
 public:
  Tail(HttpClient& client, std::string target, bool json, std::uint64_t limit)
      : client_(client), target_(std::move(target)), printer_(json, limit) {}

  int run() {
    for (;;) {
      const bool was_connected = connected_;
      heard_ = false;
      const auto response = read_stream();
      if (printer_.is_done()) return finish_output("stele tail");
      if (!was_connected && !heard_) return exit_code_of("stele tail", response);
      if (response && response->status / 100 == 4 && response->status != 408 && response->status != 429) {
        return exit_code_of("stele tail", response);
      }
      if (heard_) attempts_ = 0;
      if (attempts_ == 1) say("stele tail: {}; trying again\n", reason_of(response));
      pause();
    }
  }

 private:
  [[nodiscard]] Result<HttpResponse> read_stream() {
    HttpRequest request;
    request.target = target_;
    request.headers.emplace_back("Accept", "text/event-stream");
    if (!reader_.last_id().empty()) request.headers.emplace_back("Last-Event-ID", reader_.last_id());
    reader_.reset();
    return client_.stream(request, [this](std::string_view piece) {
      if (attempts_ > 1 && !heard_) say("stele tail: going on\n");
      connected_ = heard_ = true;
      const bool wants_more = reader_.feed(piece, [this](const auto& event) { return printer_.print(event); });
      (void)flush_output();  // what fails is told at the end
      return wants_more && !output_failed();
    });
  }

  static std::string reason_of(const Result<HttpResponse>& response) {
    if (!response) return response.error().describe();
    return response->status / 100 == 2 ? "the server ended the stream" : read_problem(*response).describe();
  }

  /// The first repeat comes soon: most ends are restarts.
  void pause() {
    const std::int64_t most = std::min<std::int64_t>(100LL << std::min(attempts_, 6U), kPauseMsMax);
    ++attempts_;
    std::this_thread::sleep_for(
        std::chrono::milliseconds{std::uniform_int_distribution<std::int64_t>(most / 2, most)(random_)});
  }

  HttpClient& client_;
  const std::string target_;
  EventPrinter printer_;
  EventStreamReader reader_;
  bool connected_ = false;  // at least once
  bool heard_ = false;      // in this attempt
  unsigned attempts_ = 0;   // that failed, in a row
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace

int tail_command(int argc, const char* const* argv) {
  TailFlags flags;
  CommandLine app("tail", "Prints events as they come, and goes on where it was after an outage of the server.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto client = flags.server.client(kTailTimeouts);
  if (!client) return wrong_usage("stele tail", client.error().describe());
  return Tail(**client, flags.target(), flags.json, flags.limit).run();
}

}  // namespace stele::tools
