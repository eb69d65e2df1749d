#include "tools/commands/append.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "api/json/json_diagnosis.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "tools/cli/command_line.h"
#include "tools/cli/output.h"
#include "tools/client/answers.h"
#include "tools/client/credentials.h"
#include "tools/client/http_client.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

/// The largest --body-size-max.
constexpr std::size_t kInputBytesMax = 1U << 30;

struct AppendFlags {
  std::string url = "http://127.0.0.1:8080";
  HttpTls tls;
  Credentials credentials;
  std::string source;  ///< "-" or empty
  std::string type, aggregate, aggregate_type, user, data, metadata, event_id, correlation_id, causation_id,
      occurred_at;
  std::string idempotency_key;
  std::vector<std::string> tags;
  std::uint64_t version = 0;
  std::uint64_t sequence = 0;

  void declare(CommandLine& app) {
    app.add_text("source", source, "- reads events as NDJSON from stdin and appends them as one list, all or nothing")
        .one_of({"-"});
    const auto text = [&](const char* flag, std::string& to, const char* value, const char* help) {
      return app.add_text(flag, to, help).type(value).group("Event");
    };
    text("--type", type, "TEXT", "eventType, what happened");
    text("--aggregate", aggregate, "ID", "aggregateId, what it happened to");
    text("--aggregate-type", aggregate_type, "TEXT", "aggregateType, fixed by the aggregate's first event");
    text("--data", data, "JSON", "The event's data: JSON, @FILE, or - for stdin");
    text("--metadata", metadata, "JSON", "A JSON object: JSON, or @FILE");
    text("--user", user, "ID", "userId, who did it");
    text("--event-id", event_id, "UUID", "eventId; the same one again stores nothing twice");
    text("--correlation-id", correlation_id, "ID", "correlationId");
    text("--causation-id", causation_id, "ID", "causationId");
    text("--occurred-at", occurred_at, "TIME", "occurredAt, RFC 3339: when it happened in the domain");
    app.add_texts("--tag", tags, "TEXT", "One of its tags, by which it is found too; may be repeated").group("Event");
    app.add_number("--version", version, 0, 1U << 30, "Schema version of the data; 0: the server's default")
        .group("Event");
    app.add_number("--sequence", sequence, 0, 1ULL << 62, "The sequence number it must get; 0: any").group("Event");
    app.add_url(url);
    app.add_tls(tls);
    credentials.declare(app);
    app.add_text("--idempotency-key", idempotency_key, "Idempotency-Key: makes a repeat without eventId harmless too")
        .type("KEY")
        .group("Server");
    app.footer(
        "The receipt goes to stdout. Exit status: 0 stored or stored before, 1 refused or unreachable, 2 wrong usage.");
  }
};

/// The text itself, a file's content behind @, or stdin for "-". It must be one JSON value: it is put into the request
/// as it stands.
Result<std::string> json_argument(const std::string& flag, const std::string& text) {
  Result<std::string> read = text;
  if (text == "-") {
    read = read_stdin(kInputBytesMax);
  } else if (text.starts_with('@')) {
    read = read_file(text.substr(1), kInputBytesMax);
  }
  if (!read) {
    Error error = std::move(read).error();
    error.message = fmt::format("{}: {}", flag, error.message);
    return error;
  }
  std::string json = std::move(read).value();
  json.erase(0, json.size() - api::without_byte_order_mark(json).size());
  simdjson::dom::parser parser;
  const auto error = parser.parse(json).error();
  if (error == simdjson::SUCCESS) return json;
  const auto diagnosis = api::diagnose_json(json);
  std::string why = simdjson::error_message(error);
  if (diagnosis.broken) {
    why = fmt::format("is not JSON: {} (byte {})", diagnosis.broken->detail, diagnosis.broken->offset);
  } else if (!diagnosis.values.empty()) {
    const auto& first = diagnosis.values.front();
    why = fmt::format("cannot be stored: {}{}{}", first.pointer, first.pointer.empty() ? "" : ": ", first.detail);
  }
  return Error{ErrorKind::InvalidArgument, fmt::format("{} {}", flag, why)};
}

Result<std::string> event_body(const AppendFlags& flags) {
  if (flags.type.empty() || flags.aggregate.empty() || flags.data.empty()) {
    return Error{ErrorKind::InvalidArgument,
                 "--type, --aggregate and --data are required (or - to read events from stdin)"};
  }
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) json.key(name).string(value);
  };
  text("eventId", flags.event_id);
  text("eventType", flags.type);
  text("aggregateId", flags.aggregate);
  text("aggregateType", flags.aggregate_type);
  text("userId", flags.user);
  text("correlationId", flags.correlation_id);
  text("causationId", flags.causation_id);
  text("occurredAt", flags.occurred_at);
  if (!flags.tags.empty()) {
    json.key("tags").begin_array();
    for (const std::string& tag : flags.tags) json.string(tag);
    json.end_array();
  }
  if (flags.version != 0) json.key("version").number(flags.version);
  if (flags.sequence != 0) json.key("sequenceNumber").number(flags.sequence);
  STELE_ASSIGN(const std::string data, json_argument("--data", flags.data));
  json.key("data").raw(data);
  if (!flags.metadata.empty()) {
    STELE_ASSIGN(const std::string metadata, json_argument("--metadata", flags.metadata));
    json.key("metadata").raw(metadata);
  }
  json.end_object();
  return body;
}

int usage_error(const Error& error) { return wrong_usage("stele append", error.describe()); }

}  // namespace

int append_command(int argc, const char* const* argv) {
  AppendFlags flags;
  CommandLine app("append",
                  "Appends one event made of flags, or a list of events from stdin (-), and prints the receipt.");
  flags.declare(app);
  if (const auto code = app.parse(argc, argv)) return *code;
  auto url = parse_http_url(flags.url);
  if (!url) return usage_error(url.error());
  auto token = flags.credentials.token();
  if (!token) return usage_error(token.error());

  HttpRequest request;
  request.method = "POST";
  request.target = "/v1/events";
  std::string body;
  if (flags.source == "-") {
    if (!(flags.type + flags.aggregate + flags.data).empty() || !flags.tags.empty()) {
      return usage_error({ErrorKind::InvalidArgument, "- and the flags of an event exclude each other"});
    }
    auto lines = read_stdin(kInputBytesMax);
    if (!lines) return unusable_input("stele append", lines.error());
    body = std::move(lines).value();
    request.headers.emplace_back("Content-Type", "application/x-ndjson");
  } else {
    auto made = event_body(flags);
    if (!made) return unusable_input("stele append", made.error());
    body = std::move(made).value();
    request.headers.emplace_back("Content-Type", "application/json");
  }
  if (!flags.idempotency_key.empty()) request.headers.emplace_back("Idempotency-Key", flags.idempotency_key);
  request.body = body;

  HttpClient client(std::move(url).value(), flags.tls);
  client.authorize(std::move(token).value());
  const auto response = client.send(request);
  if (!response) {
    say("stele append: {}\n", response.error().describe());
    return kExitFailure;
  }
  if (response->status / 100 != 2) {
    say("stele append: refused: {}\n", read_problem(*response).describe());
    return kExitFailure;
  }
  put(response->body);
  put("\n");
  if (response->header("idempotent-replayed") == "true") say("stored before, nothing new\n");
  if (const std::string why = flush_output(); !why.empty()) {
    say("stele append: stored, but the receipt cannot be written: {}\n", why);
    return kExitFailure;
  }
  return kExitOk;
}

}  // namespace stele::tools
