#include "tests/contract/metrics_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

namespace stele::tests {

namespace {

[[noreturn]] void fail(const std::string& why, std::string_view line) {
  throw std::runtime_error(why + ": " + std::string(line));
}

bool is_name(std::string_view text, bool colons) {
  const auto letter = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
  };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::optional<double> number(std::string_view text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  if (text == "-Inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view take(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

bool ends_family(std::string_view sample, const std::string& family, std::string_view type) {
  if (type != "histogram") return sample == family;
  return sample == family + "_bucket" || sample == family + "_sum" || sample == family + "_count";
}

}  // namespace

MetricsText::MetricsText(std::string_view text) {
  if (text.empty() || text.back() != '\n') throw std::runtime_error("the text does not end with a line feed");
  while (!text.empty()) {
    const std::string_view line = take(text, '\n');
    if (line.empty()) continue;
    if (line.find('\r') != std::string_view::npos) fail("a carriage return", line);
    if (line[0] == '#') {
      add_comment(line);
    } else {
      add_sample(line);
    }
  }
  for (const auto& [name, family] : families_) check_family(name, family);
}

void MetricsText::add_comment(std::string_view line) {
  std::string_view rest = line;
  if (take(rest, ' ') != "#") fail("not a comment", line);
  const std::string_view keyword = take(rest, ' ');
  const std::string name(take(rest, ' '));
  if (!is_name(name, true)) fail("a bad name", line);
  if (keyword == "HELP") {
    if (families_.contains(name)) fail("a second HELP, or one behind TYPE", line);
    if (rest.empty()) fail("no help", line);
    families_[name].help = rest;
  } else if (keyword == "TYPE") {
    Family& family = families_[name];
    if (!family.type.empty()) fail("a second TYPE", line);
    static const std::set<std::string_view> types = {"counter", "gauge", "histogram", "summary", "untyped"};
    if (!types.contains(rest)) fail("an unknown type", line);
    family.type = rest;
    open_ = name;
  } else {
    fail("neither HELP nor TYPE", line);
  }
}

void MetricsText::add_sample(std::string_view line) {
  std::string_view rest = line;
  Sample sample;
  const std::size_t end = rest.find_first_of("{ ");
  sample.name = rest.substr(0, end);
  if (!is_name(sample.name, true) || end == std::string_view::npos) fail("a bad name", line);
  rest.remove_prefix(end);
  if (rest[0] == '{') {
    do {
      rest.remove_prefix(1);
      const std::string label(take(rest, '='));
      if (!is_name(label, false) || label.starts_with("__")) fail("a bad label", line);
      if (rest.empty() || rest[0] != '"') fail("a label without quotes", line);
      std::string value;
      std::size_t i = 1;
      for (; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] != '\\') {
          value += rest[i];
          continue;
        }
        if (++i == rest.size() || std::string_view("\\\"n").find(rest[i]) == std::string_view::npos)
          fail("a bad escape", line);
        value += rest[i] == 'n' ? '\n' : rest[i];
      }
      if (i >= rest.size()) fail("an open quote", line);
      rest.remove_prefix(i + 1);
      if (!sample.labels.emplace(label, value).second) fail("a label twice", line);
    } while (!rest.empty() && rest[0] == ',');
    if (rest.empty() || rest[0] != '}') fail("labels do not end", line);
    rest.remove_prefix(1);
  }
  if (rest.empty() || rest[0] != ' ') fail("no value", line);
  const auto value = number(rest.substr(1));
  if (!value) fail("a bad value", line);
  sample.value = *value;
  const auto family = families_.find(open_);
  if (family == families_.end() || !ends_family(sample.name, open_, family->second.type))
    fail("a sample outside its family", line);
  if (find(sample.name, sample.labels) != nullptr) fail("a series twice", line);
  family->second.samples.push_back(std::move(sample));
}

void MetricsText::check_family(const std::string& name, const Family& family) const {
  if (family.type.empty() || family.help.empty()) fail("a family without TYPE or HELP", name);
  if ((family.type == "counter") != name.ends_with("_total")) fail("counters and only they are named _total", name);
  struct Series {
    std::vector<std::pair<double, double>> buckets;
    std::optional<double> sum, count;
  };
  std::map<MetricLabels, Series> all;
  for (const Sample& sample : family.samples) {
    if (family.type == "counter" && sample.value < 0) fail("a negative counter", name);
    if (family.type != "histogram") continue;
    MetricLabels labels = sample.labels;
    const auto le = labels.find("le");
    if (sample.name.ends_with("_bucket")) {
      if (le == labels.end()) fail("a bucket without le", name);
      const auto bound = number(le->second);
      if (!bound) fail("a bad le", name);
      labels.erase(le);
      all[labels].buckets.emplace_back(*bound, sample.value);
    } else if (le != labels.end()) {
      fail("le outside a bucket", name);
    } else {
      (sample.name.ends_with("_sum") ? all[labels].sum : all[labels].count) = sample.value;
    }
  }
  for (const auto& [labels, series] : all) {
    if (!series.sum || !series.count || series.buckets.empty()) fail("an incomplete histogram", name);
    for (std::size_t i = 1; i < series.buckets.size(); ++i) {
      if (series.buckets[i].first <= series.buckets[i - 1].first) fail("bounds do not ascend", name);
      if (series.buckets[i].second < series.buckets[i - 1].second) fail("buckets are not cumulative", name);
    }
    if (!std::isinf(series.buckets.back().first) || series.buckets.back().second != *series.count) {
      fail("the last bucket is not +Inf with the count", name);
    }
  }
}

const MetricsText::Sample* MetricsText::find(const std::string& name, const MetricLabels& labels) const {
  for (const auto& [family, content] : families_) {
    if (!name.starts_with(family)) continue;
    for (const Sample& sample : content.samples) {
      if (sample.name == name && sample.labels == labels) return &sample;
    }
  }
  return nullptr;
}

double MetricsText::value(const std::string& name, const MetricLabels& labels) const {
  const Sample* const found = find(name, labels);
  return found == nullptr ? 0 : found->value;
}

bool MetricsText::has(const std::string& name, const MetricLabels& labels) const {
  return find(name, labels) != nullptr;
}

}  // namespace stele::tests
