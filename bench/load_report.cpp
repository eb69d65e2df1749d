#include "bench/load_report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

namespace stele::bench {
namespace {

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

double events_a_request(const LoadOptions& options) {
  if (options.kind == Kind::HttpGet) return 0;
  return static_cast<double>(std::max<std::size_t>(options.batch, 1));
}

}  // namespace

std::uint64_t LoadReport::replies() const {
  return std::accumulate(total.by_status.begin(), total.by_status.end(), std::uint64_t{0});
}

std::uint64_t LoadReport::successes() const {
  return std::accumulate(total.by_status.begin() + 200, total.by_status.begin() + 300, std::uint64_t{0});
}

void print_text(const LoadOptions& options, const LoadReport& report) {
  const auto successes = static_cast<double>(report.successes());
  std::printf("%s: %zu connections, %zu threads, %.0f events a request (mean %.0f bytes), %.1f s\n",
              options.url.c_str(), options.connections, options.threads, events_a_request(options),
              report.event_bytes_mean, report.seconds);
  std::printf("throughput  %.0f requests/s, %.0f events/s\n", successes / report.seconds,
              successes * events_a_request(options) / report.seconds);
  const Histogram& latency = report.total.latency;
  std::printf("latency us  p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n", micros(latency.quantile(0.5)),
              micros(latency.quantile(0.9)), micros(latency.quantile(0.99)), micros(latency.quantile(0.999)),
              micros(latency.max()));
  const double answered = std::max<double>(static_cast<double>(report.replies()), 1);
  if (report.server_cpu) {
    std::printf("server CPU  %.2f us a request, %.0f %% of a core\n",
                static_cast<double>(*report.server_cpu) / answered,
                static_cast<double>(*report.server_cpu) / report.seconds / 1e4);
  }
  std::printf("own CPU     %.2f us a request, %.0f %% of a core\n", static_cast<double>(report.own_cpu) / answered,
              static_cast<double>(report.own_cpu) / report.seconds / 1e4);
  std::printf("replies    ");
  for (std::size_t i = 0; i < report.total.by_status.size(); ++i) {
    if (report.total.by_status[i] != 0) std::printf(" %zu: %lu", i, report.total.by_status[i]);
  }
  std::printf("; socket errors: %lu\n", report.total.socket_errors);
  if (!report.total.first_error.empty()) std::printf("first error: %s\n", report.total.first_error.c_str());
}

bool write_json(const LoadOptions& options, const LoadReport& report) {
  const auto successes = static_cast<double>(report.successes());
  const double answered = std::max<double>(static_cast<double>(report.replies()), 1);
  const Histogram& latency = report.total.latency;
  std::ofstream file(options.json_file);
  file << "{\"url\": " << quoted(options.url) << ", \"connections\": " << options.connections
       << ", \"threads\": " << options.threads << ", \"events_per_request\": " << events_a_request(options)
       << ", \"event_bytes_mean\": " << report.event_bytes_mean << ", \"seconds\": " << report.seconds
       << ",\n \"requests\": " << report.successes() << ", \"requests_per_second\": " << successes / report.seconds
       << ", \"events_per_second\": " << successes * events_a_request(options) / report.seconds
       << ", \"bytes_sent\": " << report.total.bytes_sent << ", \"bytes_received\": " << report.total.bytes_received
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

}  // namespace stele::bench
