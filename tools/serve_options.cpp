#include "tools/serve_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/command_line.h"
#include "tools/version.h"
#include "tools/web_origin.h"

namespace stele::tools {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr microseconds kMillisecond{1'000};
constexpr microseconds kHour{3'600'000'000};

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
  depth_max = service.limits.depth_max;
  service.version = kVersion;
}

void ServeOptions::declare(CLI::App& app) {
  const char* group = "Store";
  app.add_option("--data", store.folder, "Data folder; made if it does not exist")
      ->type_name("DIR")
      ->required()
      ->group(group);
  app.add_option("--origin", store.origin, "Name of a new log, kept in its first record")
      ->type_name("NAME")
      ->default_str(store.origin)
      ->group(group);
  add_bytes(app, "--segment-size", store.segment_bytes, {64U << 10, 64ULL << 30}, "Size of a new segment file")
      ->group(group);
  add_number(app, "--queue-requests", store.queue_proposals_max, 1, 1'000'000,
             "Appends that may wait for the log; beyond: 503")
      ->group(group);
  add_bytes(app, "--queue-size", store.queue_bytes_max, {1U << 20, 64ULL << 30},
            "Bytes that may wait for the log; beyond: 503")
      ->group(group);
  add_duration(app, "--gather-max", store.gather_max, microseconds{0}, microseconds{100'000},
               "How long a busy log waits for company before it syncs")
      ->group(group);
  add_number(app, "--index-run-records", store.index_part_records_max, 8, 1ULL << 22,
             "Records that are indexed in memory before they are written as an index run")
      ->group(group);
  add_bytes(app, "--merge-rate", store.merge_bytes_per_second, {1U << 20, 64ULL << 30},
            "Bytes a second at which index runs are merged in the background")
      ->group(group);
  add_bytes(app, "--scrub-rate", store.scrub_bytes_per_second, {0, 64ULL << 30},
            "Bytes a second at which stored data is verified in the background; 0 = not at all")
      ->group(group);

  group = "Network";
  app.add_option_function<std::string>(
         "--listen",
         [this](const std::string& text) {
           const auto address = parse_listen_address(text);
           if (!address) throw CLI::ValidationError("--listen", fmt::format("'{}' is not HOST:PORT", text));
           listen = *address;
         },
         "Address; port 0 takes a free one and prints it")
      ->type_name("HOST:PORT")
      ->default_str("127.0.0.1:8080")
      ->group(group);
  app.add_option("--host", host_names,
                 "Name that requests may be addressed to, on loopback without authentication; else only addresses and\n"
                 "localhost are, so that pages in a browser do not reach it by DNS rebinding; may be repeated")
      ->type_name("NAME")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->group(group);
  app.add_flag("--insecure", insecure, "Allow another address than loopback without authentication or without TLS")
      ->group(group);
  app.add_option("--tls-cert", tls.certificate,
                 "Speak TLS: the server's certificate and those between it and the root, in PEM; SIGHUP reads it again")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--tls-key", tls.key, "Its private key, in PEM; nobody else may be able to read it")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--tls-client-ca", tls.client_ca,
                 "Ask clients for a certificate of one of these authorities; lists of revoked ones may follow, in PEM")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--tls-client-optional", tls.client_optional, "Let clients do without a certificate")->group(group);
  add_number(app, "--io-threads", server.io_threads, 0, 256, "Threads for sockets; 0: as many as cores")->group(group);
  add_number(app, "--read-threads", server.read_threads, 0, 256, "Threads for reading the log; 0: two a core, at least 4")
      ->group(group);
  add_number(app, "--read-queue", server.read_queue_max, 1, 1'000'000, "Reads that may wait for a thread; beyond: 503")
      ->group(group);
  app.add_option("--cors-origin", service.cors_origins,
                 "Origin that browsers may call from, '*' for any; may be repeated")
      ->type_name("ORIGIN")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->delimiter(',')
      ->group(group);

  access.declare(app);

  group = "Limits";
  auto& http = server.limits;
  auto& limits = service.limits;
  add_number(app, "--connections-max", http.connections_max, 1, 1'000'000, "Open connections; beyond: 503")
      ->group(group);
  add_number(app, "--connections-per-address-max", http.connections_per_address_max, 0, 1'000'000,
             "The same for one client address; 0: half of them, and no limit on loopback")
      ->group(group);
  add_bytes(app, "--header-size-max", http.header_bytes_max, {1024, 1U << 20}, "Request line and header fields")
      ->group(group);
  add_bytes(app, "--body-size-max", limits.body_bytes_max, {1024, 1U << 30}, "Body of a request")->group(group);
  add_bytes(app, "--bodies-size-max", http.bodies_bytes_max, {1U << 20, 1ULL << 40},
            "Bodies of all requests under way and large answers to slow readers; beyond: 503")
      ->group(group);
  add_number(app, "--events-max", limits.events_max, 1, 10'000, "Events in one append")->group(group);
  add_bytes(app, "--event-data-size-max", limits.data_bytes_max, {2, 16U << 20}, "Data of one event")->group(group);
  add_bytes(app, "--event-metadata-size-max", limits.metadata_bytes_max, {2, 16U << 20}, "Metadata of one event")
      ->group(group);
  add_bytes(app, "--string-size-max", limits.string_bytes_max, {1, kStringBytesMax}, "A string member of the envelope")
      ->group(group);
  add_number(app, "--depth-max", depth_max, 1, 1000, "Arrays and objects inside each other in data and metadata")
      ->group(group);
  add_number(app, "--page-default", limits.page_default, 1, 100'000, "Items on a page when the client names no limit")
      ->group(group);
  add_number(app, "--page-max", limits.page_max, 1, 100'000, "Items on a page")->group(group);

  group = "Timeouts";
  add_duration(app, "--header-timeout", header_timeout, kMillisecond, kHour,
               "From the first byte to the end of the header")
      ->group(group);
  add_duration(app, "--body-timeout", body_timeout, kMillisecond, kHour, "For the whole body, however steady it comes")
      ->group(group);
  add_duration(app, "--request-timeout", request_timeout, kMillisecond, kHour,
               "From the first byte to the start of the answer")
      ->group(group);
  add_duration(app, "--write-timeout", write_timeout, kMillisecond, kHour,
               "For the client to take each 64 KiB of an answer")
      ->group(group);
  add_duration(app, "--idle-timeout", idle_timeout, kMillisecond, kHour, "Between two requests of a connection")
      ->group(group);
  add_duration(app, "--position-wait", position_wait, microseconds{0}, kHour,
               "How long a read waits for its minPosition")
      ->group(group);
  add_duration(app, "--drain-timeout", drain_timeout, microseconds{0}, kHour,
               "For requests under way when the server is told to end")
      ->group(group);

  group = "Logs";
  app.add_option("--log-level", log_level, "trace, debug, info, warning, error or off; the log goes to stderr")
      ->type_name("LEVEL")
      ->default_str(log_level)
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}).description(""))
      ->group(group);
  app.add_option("--log-format", log_format_name, "text, or json: one object a line, in both logs")
      ->type_name("FORMAT")
      ->default_str(log_format_name)
      ->check(CLI::IsMember({"text", "json"}).description(""))
      ->group(group);
  app.add_option("--access-log", server.access_log, "File for one line a request, '-' for stdout; none if not given")
      ->type_name("FILE")
      ->group(group);

  name_environment(app);
  add_config_file(app);
  app.get_config_ptr()->group("Configuration");
  app.add_flag("--print-config", print_config, "Print what applies, in the form of a configuration file, and exit")
      ->configurable(false)
      ->group("Configuration");
  app.footer(
      "Every option can also be set by an environment variable (--segment-size by STELE_SEGMENT_SIZE) or in the file "
      "given\n"
      "with --config (segment-size = 256MiB). A flag beats the environment, the environment beats the file.\n"
      "SIZE is like 65536, 64KiB, 256MiB; TIME is like 100us, 250ms, 10s, 2min.\n"
      "SIGTERM or Ctrl-C ends the server in good order; a second one at once.\n"
      "Exit status: 0 ended in good order, 1 failure, 2 wrong usage.");
}

std::string ServeOptions::apply() {
  if (service.limits.page_default > service.limits.page_max) return "--page-default must not exceed --page-max";
  if (auto complaint = access.complaint(); !complaint.empty()) return complaint;
  if (tls.certificate.empty() != tls.key.empty()) return "--tls-cert and --tls-key belong together";
  if (!tls.client_ca.empty() && !has_tls()) return "--tls-client-ca needs --tls-cert and --tls-key";
  if (tls.client_optional && tls.client_ca.empty()) return "--tls-client-optional needs --tls-client-ca";
  if (auto refusal = refusal_to_listen(listen, authenticates(), has_tls(), insecure); !refusal.empty()) return refusal;
  for (const std::string& origin : service.cors_origins) {
    if (const auto fault = fault_of_origin(origin); !fault.empty()) {
      return fmt::format("--cors-origin '{}' can never match: {}", origin, fault);
    }
  }
  if (auto complaint = guard_hosts(); !complaint.empty()) return complaint;
  service.limits.depth_max = static_cast<std::uint32_t>(depth_max);
  service.min_position_wait = std::chrono::duration_cast<milliseconds>(position_wait);
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
