#include "api/operations/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "api/access/authenticator.h"
#include "api/operations/process_metrics.h"

namespace stele::api {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kNanosASecond = 1e9;

class Families {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Further samples go to the family begun last.
  Families& family(MetricType type, const char* name, const char* help) {
    MetricFamily& added = all_.emplace_back();
    added.name = name;
    added.help = help;
    added.type = type;
    return *this;
  }
  void sample(double value, Labels labels = {}) {
    ClientMetric& metric = add(labels);
    (all_.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  }
  void histogram(const HistogramCounts& counts, double unit, Labels labels = {}) {
    ClientMetric::Histogram& to = add(labels).histogram;
    for (std::size_t i = 0; i < counts.counts.size(); ++i) {
      to.sample_count += counts.counts[i];
      ClientMetric::Bucket bucket;
      bucket.cumulative_count = to.sample_count;
      bucket.upper_bound = i < counts.bounds.size() ? static_cast<double>(counts.bounds[i]) / unit
                                                    : std::numeric_limits<double>::infinity();
      to.bucket.push_back(bucket);
    }
    to.sample_sum = static_cast<double>(counts.sum) / unit;
  }
  void gauge(const char* name, std::uint64_t value, const char* help) {
    family(MetricType::Gauge, name, help).sample(static_cast<double>(value));
  }
  void counter(const char* name, std::uint64_t value, const char* help) {
    family(MetricType::Counter, name, help).sample(static_cast<double>(value));
  }
  /// In seconds.
  void durations(const char* name, const HistogramCounts& nanos, const char* help) {
    family(MetricType::Histogram, name, help).histogram(nanos, kNanosASecond);
  }
  [[nodiscard]] std::string text() const { return prometheus::TextSerializer().Serialize(all_); }

 private:
  ClientMetric& add(Labels labels) {
    ClientMetric& metric = all_.back().metric.emplace_back();
    for (const auto& [name, value] : labels) {
      ClientMetric::Label& label = metric.label.emplace_back();
      label.name = name;
      label.value = value;
    }
    return metric;
  }

  std::vector<MetricFamily> all_;
};

void add_store(Families& to, const MetricsSources& of) {
  const Store& store = of.store;
  const StoreHealth& health = of.health;
  const StoreMetrics metrics = store.metrics();
  to.gauge("stele_ready", health.writable && !of.shutting_down ? 1 : 0, "1 if /readyz says yes.");
  to.gauge("stele_writable", health.writable ? 1 : 0, "1 if the store accepts events.");
  to.gauge("stele_poisoned", metrics.poisoned ? 1 : 0,
           "1 if the process must be restarted: a write of the log failed, or its folder was changed from outside.");
  to.gauge("stele_warnings", of.warnings, "Warnings that /readyz shows now.");

  to.durations("stele_append_duration_seconds", metrics.append_nanos,
               "Time of a proposed commit from the queue to its durable answer.");
  to.durations("stele_commit_duration_seconds", metrics.commit_nanos,
               "Time of a group of commits from its write to its being readable.");
  to.durations("stele_log_sync_duration_seconds", metrics.sync_nanos, "Time of the fdatasync of a group.");
  to.family(MetricType::Histogram, "stele_commit_group_records", "Records that one fdatasync made durable.")
      .histogram(metrics.group_records, 1);
  to.counter("stele_records_appended_total", health.records_appended, "Records made durable since the start.");
  to.gauge("stele_append_queue_commits", health.queue_proposals, "Commits that wait for the log.");

  to.gauge("stele_durable_position", store.durable_end().value() - 1, "Position of the last durable record.");
  to.gauge("stele_log_size_bytes", metrics.log_bytes, "Bytes of the log, without room that is prepared for more.");
  to.gauge("stele_log_segments", metrics.log_segments, "Files of the log.");
  to.gauge("stele_log_damaged_segments", metrics.log_segments_damaged, "Files of the log in which damage was found.");
  to.counter("stele_log_unprepared_segments_total", health.unprepared_segments,
             "Files of the log that were begun without being zero-filled ahead.");
  to.gauge("stele_index_size_bytes", metrics.index_bytes, "Bytes of the index runs.");
  to.gauge("stele_index_runs", health.index_runs, "Files of the index.");
  to.gauge("stele_index_damaged_runs", metrics.index_runs_damaged, "Files of the index that are being made again.");
  to.gauge("stele_index_waiting_parts", metrics.index_parts_waiting,
           "Parts of the index in memory that wait to be written.");
  to.gauge("stele_index_compaction_due", metrics.index_compaction_due ? 1 : 0,
           "1 while files of the index are merged, or wait for it.");
  to.counter("stele_scrubber_passes_total", health.scrub_passes, "How often everything stored was verified.");
  to.counter("stele_scrubber_bytes_total", health.scrubbed_bytes, "Bytes that were verified.");

  const RecoveryReport& recovery = store.recovery();
  to.family(MetricType::Gauge, "stele_recovery_info", "How the log's end was found at the start; always 1.")
      .sample(1, {{"tail_case", recovery.tail_case}});
  to.gauge("stele_recovery_records", recovery.records, "Records found at the start.");
  to.gauge("stele_recovery_replayed_records", recovery.replayed,
           "Of these, read again because no index file held them.");
  to.gauge("stele_recovery_cut_bytes", recovery.cut_bytes,
           "Bytes of an unfinished last write that were cut off at the start.");
  to.gauge("stele_recovery_rewritten_bytes", recovery.rewritten_bytes, "Bytes written and synced again at the start.");
}

void add_traffic(Families& to, const TrafficMetrics& traffic) {
  to.family(MetricType::Counter, "stele_http_requests_total", "Requests answered.");
  traffic.answers([&](std::string_view route, std::string_view method, std::string_view status, std::uint64_t count) {
    to.sample(static_cast<double>(count), {{"route", route}, {"method", method}, {"status", status}});
  });
  to.family(MetricType::Histogram, "stele_http_request_duration_seconds",
            "Time from the first byte of a request to the last of its answer.");
  traffic.durations([&](std::string_view route, std::string_view method, const HistogramCounts& nanos) {
    to.histogram(nanos, kNanosASecond, {{"route", route}, {"method", method}});
  });
  to.family(MetricType::Counter, "stele_http_problems_total", "Requests refused, by the slug of the problem.");
  traffic.problems([&](std::string_view slug, std::uint64_t count) {
    to.sample(static_cast<double>(count), {{"problem", slug}});
  });
  const ConnectionCounts& connections = traffic.connections();
  to.gauge("stele_http_connections", connections.open.load(), "Connections open.");
  to.counter("stele_http_connections_accepted_total", connections.accepted.load(),
             "Connections taken, those refused included.");
  to.family(MetricType::Counter, "stele_http_connections_refused_total", "Connections refused.");
  to.sample(static_cast<double>(connections.refused.load()), {{"reason", "too-many"}});
  to.sample(static_cast<double>(connections.refused_from_address.load()), {{"reason", "too-many-from-address"}});
  to.sample(static_cast<double>(connections.refused_without_answer.load()), {{"reason", "overflow"}});
  to.counter("stele_tls_handshakes_failed_total", connections.handshakes_failed.load(),
             "Connections on which TLS was not agreed on.");
  to.counter("stele_http_answers_cut_total", connections.answers_cut.load(),
             "Answers that did not get to their end, because the client left, was too slow, or stored bytes could not "
             "be read.");
  to.gauge("stele_http_body_bytes", connections.body_bytes.load(),
           "Memory that holds request bodies and large answers.");
  to.counter("stele_access_log_lines_dropped_total", traffic.access_lines_dropped(),
             "Lines of the access log that were lost because it was written too slowly.");
}

void add_certificates(Families& to, const std::vector<CertificateTerm>& terms) {
  std::map<CertificateUse, Timestamp> first_ends;
  for (const CertificateTerm& term : terms) {
    const auto [at, fresh] = first_ends.emplace(term.use, term.until);
    if (!fresh) at->second = std::min(at->second, term.until);
  }
  if (first_ends.empty()) return;
  to.family(MetricType::Gauge, "stele_tls_certificate_expiry_timestamp_seconds",
            "Until when the certificates in use are good, in seconds since 1970; of several the first to end.");
  for (const auto& [use, end] : first_ends) to.sample(static_cast<double>(end.micros) / 1e6, {{"use", name_of(use)}});
}

void add_subjects(Families& to, const std::vector<SubjectMetric>& metrics) {
  for (const SubjectMetric& metric : metrics) {
    const bool counts = metric.kind == SubjectMetric::Kind::Counter;
    to.family(counts ? MetricType::Counter : MetricType::Gauge, metric.name, metric.help);
    for (const auto& [value_of_label, value] : metric.samples) {
      if (metric.label.empty()) {
        to.sample(static_cast<double>(value));
      } else {
        to.sample(static_cast<double>(value), {{metric.label, value_of_label}});
      }
    }
  }
}

void add_process(Families& to) {
  const ProcessMetrics process = process_metrics();
  to.family(MetricType::Counter, "process_cpu_seconds_total", "User and system CPU time.").sample(process.cpu_seconds);
  to.gauge("process_resident_memory_bytes", process.resident_bytes, "Resident memory, mapped files included.");
  to.gauge("process_virtual_memory_bytes", process.virtual_bytes, "Virtual memory.");
  to.gauge("process_open_fds", process.open_files, "Open file descriptors.");
  to.gauge("process_max_fds", process.files_max, "File descriptors that may be open.");
  to.gauge("process_threads", process.threads, "Threads.");
  to.family(MetricType::Gauge, "process_start_time_seconds", "Start of the process, in seconds since 1970.")
      .sample(process.start_time_seconds);
}

}  // namespace

std::string metrics_page(const MetricsSources& of) {
  Families families;
  families.family(MetricType::Gauge, "stele_build_info", "The version that runs; always 1.")
      .sample(1, {{"version", of.version}});
  add_store(families, of);
  families.gauge("stele_read_queue_requests", of.reads_waiting, "Reads that wait for a thread.");
  add_traffic(families, of.traffic);
  add_subjects(families, of.subjects);
  add_certificates(families, of.certificates);
  if (of.authenticator != nullptr) {
    const JwtCache& cache = of.authenticator->verified_jwts();
    families.counter("stele_jwt_cache_hits_total", cache.hits(), "JWTs whose signature was verified a moment ago.");
    families.counter("stele_jwt_cache_misses_total", cache.misses(), "JWTs whose signature had to be verified.");
  }
  add_process(families);
  return families.text();
}

}  // namespace stele::api
