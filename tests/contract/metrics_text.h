#pragma once
// A strict reader of Prometheus' text format 0.0.4, as promtool would judge it.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stele::tests {

using MetricLabels = std::map<std::string, std::string>;

class MetricsText {
 public:
  struct Sample {
    std::string name;  ///< with the suffix of a histogram's part
    MetricLabels labels;
    double value = 0;
  };
  struct Family {
    std::string type;
    std::string help;
    std::vector<Sample> samples;
  };

  /// Throws std::runtime_error, which names the line, for anything the format or its conventions forbid: text behind
  /// the last line feed, samples without a family or apart from it, bad names, escapes or numbers, repeated series,
  /// counters not named …_total, histograms whose buckets do not ascend, or do not end with +Inf and the count.
  explicit MetricsText(std::string_view text);

  [[nodiscard]] const std::map<std::string, Family>& families() const { return families_; }
  /// Value of the series with exactly these labels; 0 if there is none.
  [[nodiscard]] double value(const std::string& name, const MetricLabels& labels = {}) const;
  [[nodiscard]] bool has(const std::string& name, const MetricLabels& labels = {}) const;

 private:
  [[nodiscard]] const Sample* find(const std::string& name, const MetricLabels& labels) const;
  void add_comment(std::string_view line);
  void add_sample(std::string_view line);
  void check_family(const std::string& name, const Family& family) const;

  std::map<std::string, Family> families_;
  std::string open_;  ///< family that the samples belong to
};

}  // namespace stele::tests
