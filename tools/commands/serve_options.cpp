#include "tools/commands/serve_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/subscriptions/webhook_headers.h"
#include "engine/audit/note_key.h"
#include "net/webhook/callback_url.h"
#include "tools/cli/command_line.h"
#include "tools/cli/version.h"
#include "tools/cli/web_origin.h"

namespace stele::tools {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kMillisecond{1'000};
constexpr microseconds kHour{3'600'000'000};

constexpr std::size_t kWitnessesMax = 16;
constexpr std::string_view kRedisStream = "redis-stream:";

std::int64_t in_ms(microseconds duration) { return duration.count() / 1000; }

}  // namespace

ServeOptions::ServeOptions() {
  const auto& limits = server.limits;
  header_timeout = milliseconds{limits.header_ms};
  idle_timeout = milliseconds{limits.idle_ms};
  body_timeout = milliseconds{limits.body_ms};
  request_timeout = milliseconds{limits.request_ms};
  write_timeout = milliseconds{limits.write_ms};
  drain_timeout = milliseconds{server.drain_ms};
  position_wait = service.min_position_wait;
  handler_call_timeout = service.replay.call_time;
  replay_timeout = service.replay.replay_time;
  key_overlap = service.checkpoints.key_overlap;
  witness_interval = service.witnesses.interval;
  retry_delay_min = service.subscriptions.limits.delay_min;
  retry_delay_max = service.subscriptions.limits.delay_max;
  depth_max = service.limits.depth_max;
  service.version = kVersion;
}

void ServeOptions::declare(CommandLine& app) {
  const char* group = "Store";
  app.add_text("--data", store.folder, "Data folder; made, with a warning, if it does not exist")
      .type("DIR")
      .required()
      .group(group);
  app.add_switch("--no-create", no_create, "Refuse to start if there is no store in the data folder").group(group);
  app.add_text("--origin", store.origin, "Name of a new log, kept in its first record").type("NAME").group(group);
  app.add_bytes("--segment-size", store.segment_bytes, {StoreBounds::kSegmentBytesMin, StoreBounds::kSegmentBytesMax},
                "Size of a new segment file")
      .group(group);
  app.add_number("--queue-requests", store.queue_proposals_max, StoreBounds::kQueueProposalsMin, 1'000'000,
                 "Appends that may wait for the log; beyond: 503")
      .group(group);
  app.add_bytes("--queue-size", store.queue_bytes_max, {1U << 20, 64ULL << 30},
                "Bytes that may wait for the log; beyond: 503")
      .group(group);
  app.add_duration("--group-commit-delay", store.group_commit_delay, microseconds{0}, microseconds{100'000},
                   "How long a busy log waits for company before it syncs")
      .group(group);
  app.add_number("--index-run-records", store.index_part_records_max, StoreBounds::kIndexPartRecordsMin,
                 StoreBounds::kIndexPartRecordsMax,
                 "Records that are indexed in memory before they are written as an index run")
      .group(group);
  app.add_bytes("--compaction-rate", store.compaction_bytes_per_second, {1U << 20, 64ULL << 30},
                "Bytes a second at which index runs are compacted in the background")
      .group(group);
  app.add_bytes("--scrub-rate", store.scrub_bytes_per_second, {0, 64ULL << 30},
                "Bytes a second at which stored data is verified in the background; 0 = not at all")
      .group(group);
  app.add_switch("--accept-clock-jump", store.accept_clock_jumps,
                 "Go on appending when the system clock jumps ahead by more than a day")
      .group(group);

  group = "Network";
  app.add_parsed("--listen", "HOST:PORT", "127.0.0.1:8080",
                 "Address, or a name: all its addresses; port 0 takes a free one and prints it",
                 [this](const std::string& text) -> std::string {
                   const auto address = parse_listen_address(text);
                   if (!address) return "is not HOST:PORT";
                   listen = *address;
                   return {};
                 })
      .group(group);
  app.add_list("--host", host_names, "NAME",
               "Name that requests may be addressed to, on loopback without authentication; else only addresses and\n"
               "localhost are, so that pages in a browser do not reach it by DNS rebinding; may be repeated")
      .group(group);
  app.add_switch("--insecure", insecure, "Allow another address than loopback without authentication or without TLS")
      .group(group);
  app.add_text("--tls-cert", tls.certificate,
               "Speak TLS: the server's certificate and those between it and the root, in PEM; SIGHUP reads it again")
      .type("FILE")
      .group(group);
  app.add_text("--tls-key", tls.key, "Its private key, in PEM; nobody else may be able to read it")
      .type("FILE")
      .group(group);
  app.add_text("--tls-client-ca", tls.client_ca,
               "Ask clients for a certificate of one of these authorities; lists of revoked ones may follow, in PEM")
      .type("FILE")
      .group(group);
  app.add_switch("--tls-client-optional", tls.client_optional, "Let clients do without a certificate").group(group);
  app.add_number("--io-threads", server.io_threads, 0, 256, "Threads for sockets; 0: as many as cores").group(group);
  app.add_number("--read-threads", server.read_threads, 0, 256,
                 "Threads for reading the log; 0: two a core, at least 4")
      .group(group);
  app.add_number("--read-queue", server.read_queue_max, 1, 1'000'000, "Reads that may wait for a thread; beyond: 503")
      .group(group);
  app.add_list("--cors-origin", service.cors_origins, "ORIGIN",
               "Origin that browsers may call from, '*' for any; may be repeated, or several with commas between them")
      .group(group);

  access.declare(app);

  group = "Audit";
  auto& checkpoints = service.checkpoints;
  app.add_text(
         "--signing-key", checkpoints.signing_key,
         "Private key that signs checkpoints, in a folder of its own; checkpoint.key in the key store, where it is\n"
         "made, if not given. Whoever holds it can rewrite what came after the last checkpoint kept elsewhere")
      .type("FILE")
      .group(group);
  app.add_duration("--key-overlap", key_overlap, std::chrono::microseconds{0}, std::chrono::hours{24 * 3650},
                   "How long the key before signs as well after a rotation")
      .group(group);
  app.add_switch("--public-log", checkpoints.is_public, "Show checkpoint, hash tiles and keys to anyone").group(group);
  app.add_list(
         "--witness", witnesses, "URL=VKEY",
         "Have checkpoints cosigned by this witness (C2SP tlog-witness): what /add-checkpoint is put behind, and its\n"
         "verifier key; may be repeated")
      .group(group);
  app.add_duration("--witness-interval", witness_interval, std::chrono::seconds{10}, kHour,
                   "How often witnesses are asked")
      .group(group);
  app.add_list("--anchor", anchors, "PLACE",
               "Write witnessed checkpoints, else one an hour, to a place outside: a FILE that is appended to, or\n"
               "redis-stream:KEY in the Redis of --redis; may be repeated")
      .group(group);

  group = "Limits";
  auto& http = server.limits;
  auto& limits = service.limits;
  app.add_number("--connections-max", http.connections_max, 1, 1'000'000, "Open connections; beyond: 503").group(group);
  app.add_number("--connections-per-address-max", http.connections_per_address_max, 0, 1'000'000,
                 "The same for one client address; 0: half of them, and no limit on loopback")
      .group(group);
  app.add_bytes("--header-size-max", http.header_bytes_max, {1024, 1U << 20}, "Request line and header fields")
      .group(group);
  app.add_bytes("--body-size-max", limits.body_bytes_max, {1024, 1U << 30}, "Body of a request").group(group);
  app.add_bytes("--bodies-size-max", http.bodies_bytes_max, {1U << 20, 1ULL << 40},
                "Bodies of all requests under way and large answers to slow readers; beyond: 503")
      .group(group);
  app.add_number("--events-max", limits.events_max, 1, 10'000, "Events in one append").group(group);
  app.add_bytes("--event-data-size-max", limits.data_bytes_max, {2, 16U << 20}, "Data of one event").group(group);
  app.add_bytes("--event-metadata-size-max", limits.metadata_bytes_max, {2, 16U << 20}, "Metadata of one event")
      .group(group);
  app.add_bytes("--string-size-max", limits.string_bytes_max, {1, kStringBytesMax}, "A string member of the envelope")
      .group(group);
  app.add_number("--depth-max", depth_max, 1, 1000, "Arrays and objects inside each other in data and metadata")
      .group(group);
  app.add_number("--page-default", limits.page_default, 1, 100'000, "Items on a page when the client names no limit")
      .group(group);
  app.add_number("--page-max", limits.page_max, 1, 100'000, "Items on a page").group(group);
  app.add_number(
         "--read-records-max", service.read_limits.records, 1, 1'000'000'000,
         "Records that a page, or a piece of a stream, examines before it ends early and another read has its turn")
      .group(group);
  app.add_duration("--read-time-max", service.read_limits.time, kMillisecond, microseconds{60'000'000},
                   "The same as a time, for records that come from a disk")
      .group(group);

  auto& live = service.live;
  app.add_number("--live-streams-max", live.streams_max, 0, 100'000, "Live streams at once; beyond: 429").group(group);
  app.add_bytes("--live-buffer-size", live.buffer_bytes_max, {1024, 1ULL << 30},
                "Events that wait for the reader of a live stream; beyond: it is ended, and can be resumed")
      .group(group);

  group = "Timeouts";
  app.add_duration("--header-timeout", header_timeout, kMillisecond, kHour,
                   "From the first byte to the end of the header")
      .group(group);
  app.add_duration("--body-timeout", body_timeout, kMillisecond, kHour, "For the whole body, however steady it comes")
      .group(group);
  app.add_duration("--request-timeout", request_timeout, kMillisecond, kHour,
                   "From the first byte to the start of the answer")
      .group(group);
  app.add_duration("--write-timeout", write_timeout, kMillisecond, kHour,
                   "For the client to take each 64 KiB of an answer")
      .group(group);
  app.add_duration("--idle-timeout", idle_timeout, kMillisecond, kHour, "Between two requests of a connection")
      .group(group);
  app.add_duration("--position-wait", position_wait, microseconds{0}, kHour,
                   "How long a read waits for its minPosition")
      .group(group);
  app.add_duration("--drain-timeout", drain_timeout, microseconds{0}, kHour,
                   "For requests under way when the server is told to end")
      .group(group);

  group = "Replay";
  auto& replay = service.replay;
  app.add_text(
         "--handlers", handlers,
         "What may run handlers in JavaScript: sandboxed (a process that can do nothing else), trusted (also where\n"
         "the system cannot confine it), or off")
      .type("MODE")
      .one_of({"sandboxed", "trusted", "off"})
      .group(group);
  app.add_number("--handler-workers", workers.workers_max, 0, 64,
                 "Processes that run handlers; 0: one a core, at most 4")
      .group(group);
  app.add_bytes("--handler-memory-max", workers.memory_bytes_max, {16U << 20, 16ULL << 30}, "Memory of a handler")
      .group(group);
  app.add_duration("--handler-call-timeout", handler_call_timeout, kMillisecond, microseconds{60'000'000},
                   "For one call of a handler")
      .group(group);
  app.add_duration("--replay-timeout", replay_timeout, kMillisecond, kHour, "For one replay").group(group);
  app.add_number("--replays-max", replay.replays_max, 1, 256, "Replays at once; beyond: 429").group(group);
  app.add_bytes("--state-size-max", replay.state_bytes_max, {1024, 60U << 20}, "A folded state").group(group);
  app.add_bytes("--state-cache-size", replay.state_cache_bytes_max, {0, 64ULL << 30},
                "Memory for states that were asked for; 0: none")
      .group(group);
  app.add_number("--snapshot-every", replay.snapshot_every_events, 0, 1'000'000'000,
                 "Take a snapshot of an aggregate each time its sequence number passes a multiple of this, unless a\n"
                 "policy says otherwise; 0: none")
      .group(group);
  app.add_number("--snapshot-keep", replay.snapshot_keep, 1, kSnapshotKeepMax,
                 "Newest snapshots of an aggregate that are kept")
      .group(group);

  declare_subscriptions(app);

  redis.declare(app);

  group = "Audit";
  app.add_text("--audit-reads", audit_reads,
               "Reads that are recorded in the log: all, sensitive (of the audit trail, proofs and administration) or\n"
               "none; what is refused or fails always is")
      .type("WHICH")
      .one_of({"all", "sensitive", "none"})
      .group(group);
  app.add_switch("--audit-reads-durable", audit_reads_durable,
                 "Answer a read only when the record about it is on the disk")
      .group(group);
  app.add_list(
         "--retention-minimum", retention_minima, "CLASS=TIME",
         "Keep bodies of actions of this class (read, refusal, administration or delivery) at least so long, such as\n"
         "3650d, or forever, whatever is asked for; may be repeated, or several with commas between them")
      .group(group);
  app.add_text("--on-audit-failure", on_audit_failure,
               "While nothing can be recorded: serve what would be, or refuse it with 503")
      .type("WHAT")
      .one_of({"serve", "refuse"})
      .group(group);

  group = "Logs";
  app.add_text("--log-level", log_level, "trace, debug, info, warning, error or off; the log goes to stderr")
      .type("LEVEL")
      .one_of({"trace", "debug", "info", "warning", "error", "off"})
      .group(group);
  app.add_text("--log-format", log_format_name, "text, or json: one object a line, in both logs")
      .type("FORMAT")
      .one_of({"text", "json"})
      .group(group);
  app.add_text("--access-log", server.access_log,
               "File for one line a request, '-' for stdout; none if not given; SIGHUP opens it again")
      .type("FILE")
      .group(group);

  app.name_environment();
  app.add_config_file("Configuration");
  app.add_switch("--print-config", print_config, "Print what applies, in the form of a configuration file, and exit")
      .not_in_file()
      .group("Configuration");
  app.footer(
      "Every option can also be set by an environment variable (--segment-size by STELE_SEGMENT_SIZE) or in the file "
      "given\n"
      "with --config (segment-size = 256MiB). A flag beats the environment, the environment beats the file.\n"
      "An empty value is an error; an empty variable counts as not set, unless it is that of a switch.\n"
      "SIZE is like 65536, 64KiB, 256MiB; TIME is like 100us, 250ms, 10s, 2min.\n"
      "SIGTERM or Ctrl-C ends the server in good order; a second one at once.\n"
      "Exit status: 0 ended in good order, 1 failure, 2 wrong usage.");
}

void ServeOptions::declare_subscriptions(CommandLine& app) {
  const char* const group = "Subscriptions";
  app.add_list(
         "--allow-callback-net", callback_nets, "CIDR",
         "Addresses in private networks that webhooks may go to besides public ones; loopback and link-local ones\n"
         "only if exactly that address is given, as 127.0.0.1/32; may be repeated")
      .group(group);
  api::SubscriptionLimits& limits = service.subscriptions.limits;
  app.add_number("--subscriptions-max", limits.subscriptions_max, 0, 100'000, "Subscriptions; beyond: 422")
      .group(group);
  app.add_number("--subscription-filters-max", limits.filter_entries_max, 1, 10'000,
                 "Entries of all lists of a subscription")
      .group(group);
  app.add_number("--delivery-batch-max", limits.batch_events_max, 1, 10'000, "Events in a delivery").group(group);
  app.add_bytes("--delivery-batch-size", limits.batch_bytes_max, {1024, 64U << 20},
                "Events in a delivery, unless it is one event")
      .group(group);
  app.add_number("--held-aggregates-max", limits.held_aggregates_max, 1, 1'000'000,
                 "Aggregates of a subscription that wait behind a failure or a dead letter; there it is stalled")
      .group(group);
  app.add_number("--dead-letters-max", limits.dead_letters_max, 1, 1'000'000,
                 "Dead letters of a subscription; there it is stalled")
      .group(group);
  app.add_number("--callback-headers-max", limits.headers_max, 1, 256, "Header fields that a webhook may ask for")
      .group(group);
  app.add_bytes("--callback-header-size", limits.header_bytes_max, {16, api::kWebhookHeaderBytesMax},
                "Name and value of one")
      .group(group);
  app.add_bytes("--callback-answer-size", callback_answer_bytes_max, {1024, 1U << 20},
                "What is read of a receiver's answer")
      .group(group);
  app.add_number("--retry-attempts-max", limits.attempts_max, 1, 1'000, "Attempts that a subscription may ask for")
      .group(group);
  app.add_duration("--retry-delay-min", retry_delay_min, kMillisecond, kHour,
                   "Least delay between two attempts that a subscription may ask for")
      .group(group);
  app.add_duration("--retry-delay-max", retry_delay_max, kMillisecond, std::chrono::hours{7 * 24}, "The longest one")
      .group(group);
}

std::string ServeOptions::apply() {
  store.create = !no_create;
  if (store.origin.empty() || store.origin.size() > StoreBounds::kOriginBytesMax) {
    return fmt::format("--origin must have 1 to {} bytes", StoreBounds::kOriginBytesMax);
  }
  // A log keeps its name for ever, and a key of another name could not sign its checkpoints.
  if (!is_note_key_name(store.origin)) return "--origin must be without spaces, control characters and '+'";
  if (service.limits.page_default > service.limits.page_max) return "--page-default must not exceed --page-max";
  if (auto complaint = access.complaint(); !complaint.empty()) return complaint;
  if (auto complaint = redis.complaint(); !complaint.empty()) return complaint;
  if (tls.certificate.empty() != tls.key.empty()) return "--tls-cert and --tls-key belong together";
  if (!tls.client_ca.empty() && !has_tls()) return "--tls-client-ca needs --tls-cert and --tls-key";
  if (tls.client_optional && tls.client_ca.empty()) return "--tls-client-optional needs --tls-client-ca";
  if (auto refusal = refusal_to_listen(listen, authenticates(), has_tls(), insecure); !refusal.empty()) return refusal;
  for (const std::string& origin : service.cors_origins) {
    if (const auto error = error_of_origin(origin); !error.empty()) {
      return fmt::format("--cors-origin '{}' can never match: {}", origin, error);
    }
  }
  if (auto complaint = guard_hosts(); !complaint.empty()) return complaint;
  if (auto complaint = guard_callbacks(); !complaint.empty()) return complaint;
  if (auto complaint = take_witnesses(); !complaint.empty()) return complaint;
  if (auto complaint = take_retention_minima(); !complaint.empty()) return complaint;
  if (retry_delay_min > retry_delay_max) return "--retry-delay-min must not exceed --retry-delay-max";
  service.subscriptions.limits.delay_min = std::chrono::duration_cast<milliseconds>(retry_delay_min);
  service.subscriptions.limits.delay_max = std::chrono::duration_cast<milliseconds>(retry_delay_max);
  service.limits.depth_max = static_cast<std::uint32_t>(depth_max);
  service.min_position_wait = std::chrono::duration_cast<milliseconds>(position_wait);
  service.replay.call_time = std::chrono::duration_cast<milliseconds>(handler_call_timeout);
  service.replay.replay_time = std::chrono::duration_cast<milliseconds>(replay_timeout);
  service.checkpoints.key_overlap = std::chrono::duration_cast<std::chrono::seconds>(key_overlap);
  workers.trusted = handlers == "trusted";
  // There may be fewer of them than replays: their threads wait for each other.
  workers.busy_wait = std::min(service.replay.replay_time, milliseconds{5'000});
  service.audit = audit_settings();
  log_format = log_format_name == "json" ? net::LogFormat::Json : net::LogFormat::Text;
  server.log_format = log_format;
  server.host = listen.host;
  server.port = listen.port;
  server.drain_ms = in_ms(drain_timeout);
  auto& http = server.limits;
  http.body_bytes_max = service.limits.body_bytes_max + (64U << 10);
  http.bodies_bytes_max = std::max<std::uint64_t>(http.bodies_bytes_max, http.body_bytes_max);
  http.header_ms = in_ms(header_timeout);
  http.idle_ms = in_ms(idle_timeout);
  http.body_ms = in_ms(body_timeout);
  http.body_grace_ms = std::min(http.body_grace_ms, http.body_ms);
  http.request_ms = in_ms(request_timeout);
  http.write_ms = in_ms(write_timeout);
  return {};
}

std::string ServeOptions::take_witnesses() {
  api::WitnessSettings& settings = service.witnesses;
  settings.interval = std::chrono::duration_cast<milliseconds>(witness_interval);
  for (const std::string& given : witnesses) {
    // A URL and a key may both have some `=`.
    auto equals = given.find('=');
    while (equals != std::string::npos && !NoteVerifier::parse(given.substr(equals + 1)))
      equals = given.find('=', equals + 1);
    if (equals == std::string::npos) return fmt::format("--witness '{}' is not URL=VKEY", given);
    const std::string url = given.substr(0, equals);
    auto verifier = NoteVerifier::parse(given.substr(equals + 1));
    if (verifier->kind() != NoteKeyKind::Cosignature) return fmt::format("--witness '{}': no key of a witness", given);
    if (const auto parsed = net::CallbackUrl::parse(url); !parsed) {
      return fmt::format("--witness '{}': {}", given, parsed.error().message);
    }
    const auto has_name = [&](const auto& other) { return other.verifier.name() == verifier->name(); };
    if (std::any_of(settings.witnesses.begin(), settings.witnesses.end(), has_name)) {
      return fmt::format("--witness: there are two of the name {}", verifier->name());
    }
    settings.witnesses.push_back({url, *std::move(verifier)});
  }
  if (settings.witnesses.size() > kWitnessesMax) return fmt::format("--witness: at most {}", kWitnessesMax);
  for (const std::string& given : anchors) {
    if (!given.starts_with(kRedisStream)) {
      settings.anchor_files.push_back(given);
      continue;
    }
    if (redis.url.empty()) return fmt::format("--anchor '{}' needs --redis", given);
    if (given.size() == kRedisStream.size()) return fmt::format("--anchor '{}' names no stream", given);
    settings.anchor_streams.push_back(given.substr(kRedisStream.size()));
  }
  return {};
}

std::string ServeOptions::take_retention_minima() {
  api::RetentionTimes& minimum = service.retention.minimum;
  for (const std::string& given : retention_minima) {
    const std::size_t equals = std::min(given.find('='), given.size());
    const auto retention = api::action_class_of(std::string_view(given).substr(0, equals));
    if (!retention) {
      return fmt::format("--retention-minimum '{}': the class is read, refusal, administration or delivery", given);
    }
    if (minimum.of(*retention) != std::chrono::microseconds{0}) {
      return fmt::format("--retention-minimum: there are two of the class {}", api::name_of(*retention));
    }
    const auto time = api::parse_retention_time(std::string_view(given).substr(std::min(equals + 1, given.size())));
    if (!time) return fmt::format("--retention-minimum '{}': the time is forever, or from 1d to 36500d", given);
    minimum.set(*retention, *time);
  }
  return {};
}

std::string ServeOptions::guard_callbacks() {
  for (const std::string& given : callback_nets) {
    auto range = net::AddressRange::parse(given);
    if (!range) return fmt::format("--allow-callback-net '{}': {}", given, range.error().message);
    callback_guard.allowed.push_back(*std::move(range));
  }
  return {};
}

api::AuditSettings ServeOptions::audit_settings() const {
  api::AuditSettings audit;
  audit.reads = audit_reads == "all"    ? api::AuditedReads::All
                : audit_reads == "none" ? api::AuditedReads::None
                                        : api::AuditedReads::Sensitive;
  audit.durable_reads = audit_reads_durable;
  audit.refuses_unwritten = on_audit_failure == "refuse";
  audit.server_settings = {
      {"version", kVersion},
      {"listen", fmt::format("{}:{}", listen.host, listen.port)},
      {"auth", authenticates() ? "on" : "off"},
      {"tls", has_tls() ? "on" : "off"},
      {"handlers", handlers},
      {"audit-reads", audit_reads},
      {"audit-reads-durable", audit_reads_durable ? "on" : "off"},
      {"on-audit-failure", on_audit_failure},
      {"retention-minimum", retention_minima.empty() ? "none" : fmt::format("{}", fmt::join(retention_minima, ","))},
      {"accept-clock-jump", store.accept_clock_jumps ? "on" : "off"},
  };
  return audit;
}

std::string ServeOptions::guard_hosts() {
  if (!listen.is_loopback() || authenticates()) {
    return host_names.empty() ? "" : "--host means nothing but on loopback without authentication";
  }
  std::vector<std::string> names;
  for (const std::string& given : host_names) {
    auto name = api::host_name(given);
    if (!name) return fmt::format("--host '{}' is no host name (without scheme and port)", given);
    names.push_back(*std::move(name));
  }
  service.host_guard = api::HostGuard(std::move(names));
  return {};
}

}  // namespace stele::tools
