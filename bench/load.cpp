// stele_load: drives a server with many connections in a closed loop and says what it saw. The server is Stele, or one
// of the peers it is compared with: all get the same events from the same threads.

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/http_protocol.h"
#include "bench/load_report.h"
#include "bench/nats_protocol.h"
#include "bench/nats_worker.h"
#include "bench/postgres_worker.h"
#include "bench/process_cpu.h"
#include "bench/redis_protocol.h"
#include "bench/socket_worker.h"

namespace stele::bench {
namespace {

struct Url {
  sockaddr_in address{};
  std::string host;  ///< with the port
  std::string path;
};

Url parse_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) throw std::invalid_argument("--url must begin with a scheme");
  const std::size_t begin = scheme + 3;
  const std::size_t slash = url.find('/', begin);
  Url parsed;
  parsed.host = url.substr(begin, slash == std::string::npos ? slash : slash - begin);
  parsed.path = slash == std::string::npos ? "/v1/events" : url.substr(slash);
  const std::size_t colon = parsed.host.find(':');
  const std::string address = parsed.host.substr(0, colon);
  const unsigned long port = colon == std::string::npos ? 80 : std::stoul(parsed.host.substr(colon + 1));
  parsed.address.sin_family = AF_INET;
  parsed.address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (port == 0 || port > 65535 ||
      ::inet_pton(AF_INET, address == "localhost" ? "127.0.0.1" : address.c_str(), &parsed.address.sin_addr) != 1) {
    throw std::invalid_argument("--url needs an IPv4 address and a port");
  }
  return parsed;
}

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  if (lines.empty()) throw std::invalid_argument("there are no lines in " + path);
  return lines;
}

std::unique_ptr<Worker> make_worker(const LoadOptions& options, std::size_t connections) {
  if (options.kind == Kind::Postgres) {
    return std::make_unique<PostgresWorker>(options.url, options.events, connections, options.batch);
  }
  if (options.kind == Kind::NatsLibrary) return std::make_unique<NatsWorker>(options.url, options.events, connections);
  const Url url = parse_url(options.url);
  const std::string fields = options.token.empty() ? "" : "Authorization: Bearer " + options.token + "\r\n";
  std::unique_ptr<Protocol> protocol;
  switch (options.kind) {
    case Kind::HttpGet:
      protocol = std::make_unique<HttpGet>(url.host, fields, read_lines(options.targets_file));
      break;
    case Kind::Redis:
      protocol = std::make_unique<RedisAppend>(options.events, options.batch);
      break;
    case Kind::Nats:
      protocol = std::make_unique<NatsPublish>(options.events);
      break;
    default:
      protocol = std::make_unique<HttpAppend>(url.host, url.path, fields, options.events, options.batch);
  }
  return std::make_unique<SocketWorker>(url.address, std::move(protocol), connections);
}

void sleep_until(std::uint64_t nanos) {
  const std::uint64_t now = steady_nanos();
  if (nanos > now) std::this_thread::sleep_for(std::chrono::nanoseconds(nanos - now));
}

LoadReport run_load(const LoadOptions& options) {
  const std::size_t threads = std::clamp<std::size_t>(options.threads, 1, options.connections);
  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    workers.push_back(
        make_worker(options, options.connections / threads + (i < options.connections % threads ? 1 : 0)));
    workers.back()->connect_all();
  }

  LoadSchedule schedule;
  schedule.measure_from = steady_nanos() + static_cast<std::uint64_t>(options.warmup_seconds * 1e9);
  schedule.end = schedule.measure_from + static_cast<std::uint64_t>(options.duration_seconds * 1e9);
  std::vector<std::exception_ptr> failures(threads);
  std::vector<std::jthread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      try {
        workers[i]->run(schedule);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }

  // On a crowded machine a reading may come late: it counts for when it was made.
  struct CpuReading {
    std::optional<std::int64_t> micros;
    std::uint64_t at = 0;
  };
  const auto read_server_cpu = [&] {
    const std::uint64_t begun = steady_nanos();
    CpuReading reading;
    if (options.pid) reading.micros = process_tree_cpu_micros(*options.pid);
    reading.at = begun + (steady_nanos() - begun) / 2;
    return reading;
  };
  LoadReport report;
  sleep_until(schedule.measure_from);
  const std::int64_t own_before = own_cpu_micros();
  const CpuReading server_before = read_server_cpu();
  sleep_until(schedule.end);
  report.own_cpu = own_cpu_micros() - own_before;
  const CpuReading server_after = read_server_cpu();
  for (std::jthread& thread : running) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }

  report.seconds = static_cast<double>(schedule.end - schedule.measure_from) / 1e9;
  const double read_seconds = static_cast<double>(server_after.at - server_before.at) / 1e9;
  if (server_before.micros && server_after.micros && read_seconds > report.seconds / 2) {
    report.server_cpu = static_cast<std::int64_t>(static_cast<double>(*server_after.micros - *server_before.micros) *
                                                  report.seconds / read_seconds);
  }
  report.event_bytes_mean = EventPool(options.events).event_bytes_mean();
  for (const auto& worker : workers) {
    const LoadResult& part = worker->result();
    report.total.latency.merge(part.latency);
    for (std::size_t i = 0; i < part.by_status.size(); ++i) report.total.by_status[i] += part.by_status[i];
    report.total.socket_errors += part.socket_errors;
    report.total.bytes_sent += part.bytes_sent;
    report.total.bytes_received += part.bytes_received;
    if (report.total.first_error.empty()) report.total.first_error = part.first_error;
  }
  return report;
}

const std::map<std::string, Kind> kKinds{{"http", Kind::HttpAppend}, {"http-get", Kind::HttpGet},
                                         {"redis", Kind::Redis},     {"postgres", Kind::Postgres},
                                         {"nats", Kind::Nats},       {"nats-library", Kind::NatsLibrary}};

}  // namespace
}  // namespace stele::bench

int main(int argc, char** argv) {
  using namespace stele::bench;
  LoadOptions options;
  CLI::App app{"Closed-loop load generator. Exit code 1 if anything but success was answered."};
  app.add_option("--kind", options.kind, "what the server is and what it is asked")
      ->transform(CLI::CheckedTransformer(kKinds))
      ->option_text("http|http-get|redis|postgres|nats|nats-library [http]");
  app.add_option("--url", options.url, "SCHEME://IPV4:PORT/PATH; for postgres what libpq takes")->capture_default_str();
  app.add_option("--token", options.token, "http: API key or JWT to send with each request")->envname("STELE_TOKEN");
  app.add_option("--targets", options.targets_file, "http-get: a file with a path and query a line");
  app.add_option("--connections", options.connections,
                 "connections, each with one request in flight; nats-library: one connection, so many in flight")
      ->check(CLI::Range(1, 20'000))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads of the generator")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--duration", options.duration_seconds, "seconds measured")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup_seconds, "seconds before them")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app.add_option("--batch", options.batch,
                 "events a request: http an array, redis a pipeline, postgres a COPY; 0 = one event by itself")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--aggregates", options.events.aggregates, "how many aggregates the events are spread over")
      ->check(CLI::Range(1, 39'999'999))
      ->capture_default_str();
  app.add_option("--event-ids", options.events.event_ids, "send an eventId with each event")->capture_default_str();
  app.add_option("--dates", options.events.dates, "put two dates into the data of each event")->capture_default_str();
  app.add_option("--pid", options.pid, "server process whose CPU time, with its children's, is reported");
  app.add_option("--json", options.json_file, "also write the result to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    const LoadReport report = run_load(options);
    print_text(options, report);
    if (!options.json_file.empty() && !write_json(options, report)) {
      std::cerr << "stele_load: cannot write " << options.json_file << "\n";
      return 2;
    }
    return report.successes() != 0 && report.successes() == report.replies() && report.total.socket_errors == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "stele_load: " << error.what() << "\n";
    return 2;
  }
}
