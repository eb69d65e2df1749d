#pragma once
// GET /metrics.

#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/certificate_term.h"
#include "api/endpoint/subject_report.h"
#include "api/endpoint/traffic_metrics.h"
#include "engine/store/store.h"

namespace stele::api {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

class Authenticator;

/// What the page tells about.
struct MetricsSources {
  const Store& store;
  const StoreHealth& health;
  std::size_t warnings;  ///< how many /readyz shows
  const TrafficMetrics& traffic;
  const Authenticator* authenticator;  ///< null = authentication is off
  std::vector<CertificateTerm> certificates;
  std::size_t reads_waiting;  ///< for the read pool
  const std::vector<SubjectMetric>& subjects;
  std::string_view version;
  bool shutting_down;
};

/// Everything there is to know about the running server, in the text format of Prometheus. Takes a fraction of a
/// millisecond and reads /proc; any thread.
[[nodiscard]] std::string metrics_page(const MetricsSources& of);

}  // namespace stele::api
