#pragma once
// What a subject has to say on /readyz and /metrics, which know none of them.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stele::api {

/// One family of samples. Texts in static storage.
struct SubjectMetric {
  enum class Kind : std::uint8_t { Gauge, Counter };
  Kind kind = Kind::Gauge;
  const char* name = "";
  const char* help = "";
  std::string_view label{};                                           ///< empty = one sample without a label
  std::vector<std::pair<std::string_view, std::uint64_t>> samples{};  ///< by the label's value
};

struct SubjectReport {
  std::vector<std::string> warnings;                              ///< for the operator
  std::vector<std::pair<std::string_view, std::string>> members;  ///< of /readyz: name and JSON value
  std::vector<SubjectMetric> metrics;
};

/// Any thread; quick.
using SubjectReporter = std::function<SubjectReport()>;

}  // namespace stele::api
