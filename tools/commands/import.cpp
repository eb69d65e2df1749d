#include "tools/commands/import.h"

#include <algorithm>

#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/cli/quantity.h"
#include "tools/client/credentials.h"
#include "tools/commands/importer.h"

namespace stele::tools {

namespace {

struct ImportFlags {
  std::string file;
  std::string url = "http://127.0.0.1:8080";
  HttpTls tls;
  Credentials credentials;
  std::uint64_t line_bytes_max = 2U << 20;
  ImportOptions import;

  void declare(CommandLine& app) {
    app.add_text("FILE", file, "Events as NDJSON, plain or compressed with gzip or zstd; - for stdin").required();
    app.add_url(url);
    app.add_tls(tls);
    credentials.declare(app);
    app.add_retry_for(import.retry_for);
    app.add_number("--batch", import.batch_lines, 1, 10'000, "Lines a request; each request is one atomic commit")
        .group("Import");
    app.add_bytes("--line-size-max", line_bytes_max, {1024, 16U << 20}, "A longer line is reported and skipped")
        .group("Import");
    app.add_switch("--exported", import.exported,
                   "The lines are what `stele query` printed: drop what the server gives (position, sequenceNumber, "
                   "timestamp,\nwhat was redacted). An event whose data was redacted is a bad line")
        .group("Import");
    app.add_switch("--strict", import.strict, "Stop at the first bad line; nothing behind it is sent").group("Import");
    app.add_switch("--quiet", import.quiet, "Report bad lines and failures only").group("Import");
    app.footer(
        "Events are sent in the order of the lines. Running the same command again is safe: what is stored already is "
        "not stored\n"
        "twice, because eventIds (and, for lines without one, ids derived from the input) stay the same.\n"
        "Exit status: 0 all lines are stored, 1 a line was bad or the import stopped, 2 wrong usage.");
  }
};

void print_summary(const ImportCounts& counts, const Progress& progress) {
  const double seconds = progress.elapsed().count();
  const std::uint64_t events = counts.stored + counts.already_there;
  say("{} events in {:.1f}s ({}/s): {} stored, {} already there, {} bad\n", with_thousands(events), seconds,
      with_thousands(static_cast<std::uint64_t>(static_cast<double>(events) / std::max(seconds, 1e-3))),
      with_thousands(counts.stored), with_thousands(counts.already_there), with_thousands(counts.bad));
  if (counts.left_out != 0) say("{} of the store's own records left out\n", with_thousands(counts.left_out));
}

}  // namespace

int import_command(int argc, const char* const* argv) {
  ImportFlags flags;
  CommandLine app("import", "Appends a file of events, one JSON object a line, through the HTTP API.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  auto url = parse_http_url(flags.url);
  if (!url) {
    say("stele import: {}\n", url.error().describe());
    return kExitUsage;
  }
  auto token = flags.credentials.token();
  if (!token) {
    say("stele import: {}\n", token.error().describe());
    return kExitUsage;
  }
  auto reader = LineReader::open(flags.file, flags.line_bytes_max);
  if (!reader) {
    say("stele import: {}\n", reader.error().describe());
    return kExitFailure;
  }

  HttpClient client(std::move(url).value(), flags.tls);
  client.authorize(std::move(token).value());
  Progress progress(flags.import.quiet ? Progress::Mode::Quiet : Progress::mode_for_stderr());
  Importer importer(client, flags.import, progress);
  const Status status = importer.run(**reader);
  progress.clear();
  const auto& counts = importer.counts();
  if (!status) say("stele import: stopped behind line {}: {}\n", counts.last_line, status.error().describe());
  if (importer.stopped_by_bad_line()) {
    say("stele import: stopped at the bad line (--strict); nothing behind line {} was sent\n", counts.last_line);
  }
  if (!flags.import.quiet) print_summary(counts, progress);
  if (!status && !flags.import.quiet) say("run the same command again to go on\n");
  return status && counts.bad == 0 ? kExitOk : kExitFailure;
}

}  // namespace stele::tools
