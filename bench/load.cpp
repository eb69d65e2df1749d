// stele_load: drives POST /v1/events of any server with many connections in a closed loop and says what it saw.

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/load_worker.h"
#include "bench/process_cpu.h"

namespace stele::bench {
namespace {

struct LoadOptions {
  std::string url = "http://127.0.0.1:8080/v1/events";
  std::size_t connections = 64;
  std::size_t threads = 1;
  double duration_seconds = 10;
  double warmup_seconds = 1;
  std::size_t batch = 0;
  EventPoolOptions events;
  std::vector<int> pids;
  std::string json_file;
};

struct LoadReport {
  double seconds = 0;
  LoadResult total;
  double event_bytes_mean = 0;
  std::int64_t own_cpu = 0;  ///< microseconds
  std::optional<std::int64_t> server_cpu;
  std::uint64_t responses = 0;
  std::uint64_t successes = 0;
};

LoadTarget parse_url(const std::string& url) {
  static constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme)) throw std::invalid_argument("--url must begin with http://");
  const std::size_t slash = url.find('/', scheme.size());
  LoadTarget target;
  target.host = url.substr(scheme.size(), slash == std::string::npos ? slash : slash - scheme.size());
  target.path = slash == std::string::npos ? "/v1/events" : url.substr(slash);
  const std::size_t colon = target.host.find(':');
  const std::string address = target.host.substr(0, colon);
  const unsigned long port = colon == std::string::npos ? 80 : std::stoul(target.host.substr(colon + 1));
  target.address.sin_family = AF_INET;
  target.address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (port == 0 || port > 65535 ||
      ::inet_pton(AF_INET, address == "localhost" ? "127.0.0.1" : address.c_str(), &target.address.sin_addr) != 1) {
    throw std::invalid_argument("--url needs an IPv4 address and a port");
  }
  return target;
}

void sleep_until(std::uint64_t nanos) {
  const std::uint64_t now = steady_nanos();
  if (nanos > now) std::this_thread::sleep_for(std::chrono::nanoseconds(nanos - now));
}

LoadReport run_load(const LoadOptions& options) {
  const LoadTarget target = parse_url(options.url);
  const std::size_t threads = std::clamp<std::size_t>(options.threads, 1, options.connections);
  std::vector<std::unique_ptr<LoadWorker>> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    const std::size_t share = options.connections / threads + (i < options.connections % threads ? 1 : 0);
    workers.push_back(std::make_unique<LoadWorker>(target, options.events, share, options.batch));
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

  LoadReport report;
  sleep_until(schedule.measure_from);
  const std::int64_t own_before = own_cpu_micros();
  const auto server_before = processes_cpu_micros(options.pids);
  sleep_until(schedule.end);
  report.own_cpu = own_cpu_micros() - own_before;
  const auto server_after = processes_cpu_micros(options.pids);
  for (std::jthread& thread : running) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }

  if (!options.pids.empty() && server_before && server_after) report.server_cpu = *server_after - *server_before;
  report.seconds = static_cast<double>(schedule.end - schedule.measure_from) / 1e9;
  report.event_bytes_mean = workers.front()->event_bytes_mean();
  for (const auto& worker : workers) {
    const LoadResult& part = worker->result();
    report.total.latency.merge(part.latency);
    for (std::size_t i = 0; i < part.by_status.size(); ++i) report.total.by_status[i] += part.by_status[i];
    report.total.socket_errors += part.socket_errors;
    report.total.bytes_sent += part.bytes_sent;
    if (report.total.first_error.empty()) report.total.first_error = part.first_error;
  }
  for (const std::uint64_t n : report.total.by_status) report.responses += n;
  report.successes = report.total.latency.count();
  return report;
}

double micros(std::uint64_t nanos) { return static_cast<double>(nanos) / 1000.0; }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out += '"';
}

void print_text(const LoadOptions& options, const LoadReport& report) {
  const std::size_t batch = std::max<std::size_t>(options.batch, 1);
  const auto successes = static_cast<double>(report.successes);
  std::printf("%s: %zu connections, %zu threads, %zu events a request (mean %.0f bytes), %.1f s\n", options.url.c_str(),
              options.connections, options.threads, batch, report.event_bytes_mean, report.seconds);
  std::printf("throughput  %.0f requests/s, %.0f events/s\n", successes / report.seconds,
              successes * static_cast<double>(batch) / report.seconds);
  const Histogram& latency = report.total.latency;
  std::printf("latency us  p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n", micros(latency.quantile(0.5)),
              micros(latency.quantile(0.9)), micros(latency.quantile(0.99)), micros(latency.quantile(0.999)),
              micros(latency.max()));
  const double answered = std::max<double>(static_cast<double>(report.responses), 1);
  if (report.server_cpu) {
    std::printf("server CPU  %.2f us a request, %.0f %% of a core\n",
                static_cast<double>(*report.server_cpu) / answered,
                static_cast<double>(*report.server_cpu) / report.seconds / 1e4);
  }
  std::printf("own CPU     %.2f us a request, %.0f %% of a core\n", static_cast<double>(report.own_cpu) / answered,
              static_cast<double>(report.own_cpu) / report.seconds / 1e4);
  std::printf("responses  ");
  for (std::size_t i = 0; i < report.total.by_status.size(); ++i) {
    if (report.total.by_status[i] != 0) std::printf(" %zu: %lu", i, report.total.by_status[i]);
  }
  std::printf("; socket errors: %lu\n", report.total.socket_errors);
  if (!report.total.first_error.empty()) std::printf("first error: %s\n", report.total.first_error.c_str());
}

bool write_json(const LoadOptions& options, const LoadReport& report) {
  const std::size_t batch = std::max<std::size_t>(options.batch, 1);
  const auto successes = static_cast<double>(report.successes);
  const double answered = std::max<double>(static_cast<double>(report.responses), 1);
  const Histogram& latency = report.total.latency;
  std::ofstream file(options.json_file);
  file << "{\"url\": " << quoted(options.url) << ", \"connections\": " << options.connections
       << ", \"threads\": " << options.threads << ", \"batch\": " << batch
       << ", \"event_bytes_mean\": " << report.event_bytes_mean << ", \"seconds\": " << report.seconds
       << ",\n \"requests\": " << report.successes << ", \"requests_per_second\": " << successes / report.seconds
       << ", \"events_per_second\": " << successes * static_cast<double>(batch) / report.seconds
       << ",\n \"latency_us\": {\"p50\": " << micros(latency.quantile(0.5))
       << ", \"p90\": " << micros(latency.quantile(0.9)) << ", \"p99\": " << micros(latency.quantile(0.99))
       << ", \"p99.9\": " << micros(latency.quantile(0.999)) << ", \"max\": " << micros(latency.max())
       << "},\n \"status\": {";
  const char* separator = "";
  for (std::size_t i = 0; i < report.total.by_status.size(); ++i) {
    if (report.total.by_status[i] == 0) continue;
    file << separator << "\"" << i << "\": " << report.total.by_status[i];
    separator = ", ";
  }
  file << "}, \"socket_errors\": " << report.total.socket_errors
       << ", \"first_error\": " << quoted(report.total.first_error) << ",\n \"server_cpu_us_per_request\": ";
  if (report.server_cpu) {
    file << static_cast<double>(*report.server_cpu) / answered;
  } else {
    file << "null";
  }
  file << ", \"own_cpu_us_per_request\": " << static_cast<double>(report.own_cpu) / answered << "}\n";
  return static_cast<bool>(file.flush());
}

}  // namespace
}  // namespace stele::bench

int main(int argc, char** argv) {
  using namespace stele::bench;
  LoadOptions options;
  CLI::App app{"Closed-loop load generator for POST /v1/events. Exit code 1 if any answer was not 2xx."};
  app.add_option("--url", options.url, "http://IPV4:PORT/PATH")->capture_default_str();
  app.add_option("--connections", options.connections, "connections, each with one request in flight")
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
  app.add_option("--batch", options.batch, "events a request, sent as an array; 0 = one object")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--aggregates", options.events.aggregates, "how many aggregates the events are spread over")
      ->check(CLI::Range(1, 9'999'999))
      ->capture_default_str();
  app.add_option("--event-ids", options.events.event_ids, "send an eventId with each event")->capture_default_str();
  app.add_option("--pid", options.pids, "server processes whose CPU time is reported");
  app.add_option("--json", options.json_file, "also write the result to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    const LoadReport report = run_load(options);
    print_text(options, report);
    if (!options.json_file.empty() && !write_json(options, report)) {
      std::cerr << "stele_load: cannot write " << options.json_file << "\n";
      return 2;
    }
    return report.successes != 0 && report.successes == report.responses && report.total.socket_errors == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "stele_load: " << error.what() << "\n";
    return 2;
  }
}
