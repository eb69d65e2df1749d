#include "api/negotiation.h"

#include <algorithm>

namespace stele::api {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// Takes what stands before `separator` off the front; quoted strings are not looked into.
std::string_view take_part(std::string_view& text, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (quoted && text[end] == '\\') {
      ++end;
    } else if (text[end] == '"') {
      quoted = !quoted;
    } else if (text[end] == separator && !quoted) {
      break;
    }
  }
  end = std::min(end, text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

bool same(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + ('a' - 'A')) : x) == y;
         });
}

/// A quality value in thousandths; a malformed one counts as 1, as lenient servers do.
int quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 1000;
  int value = (text[0] - '0') * 1000;
  int unit = 100;
  for (std::size_t i = 2; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return 1000;
    value += (text[i] - '0') * unit;
  }
  return std::min(value, 1000);
}

struct Preference {
  int exactness = -1;  ///< of the media range that decided: 2 type/subtype, 1 type/*, 0 */*; -1 none did
  int quality = 0;

  void offer(int exactness_offered, int quality_offered) {
    if (exactness_offered > exactness || (exactness_offered == exactness && quality_offered > quality)) {
      exactness = exactness_offered;
      quality = quality_offered;
    }
  }
};

}  // namespace

std::optional<BodyFormat> body_format(std::string_view content_type) {
  const std::string_view type = take_part(content_type, ';');
  std::optional<BodyFormat> format;
  if (same(type, kJsonType)) format = BodyFormat::Json;
  if (same(type, kNdjsonType)) format = BodyFormat::Ndjson;
  while (!content_type.empty()) {
    const std::string_view parameter = take_part(content_type, ';');
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (!same(parameter.substr(0, equals), "charset") || !(same(value, "utf-8") || same(value, "utf8")))
      return std::nullopt;
  }
  return format;
}

std::optional<BodyFormat> accepted_format(std::string_view accept, bool has_ndjson) {
  if (trimmed(accept).empty()) return BodyFormat::Json;
  Preference json;
  Preference ndjson;
  while (!accept.empty()) {
    std::string_view range = take_part(accept, ',');
    const std::string_view type = take_part(range, ';');
    int q = 1000;
    while (!range.empty()) {
      const std::string_view parameter = take_part(range, ';');
      if (parameter.size() > 2 && same(parameter.substr(0, 2), "q=")) q = quality(parameter.substr(2));
    }
    if (same(type, kJsonType)) {
      json.offer(2, q);
    } else if (same(type, kNdjsonType)) {
      ndjson.offer(2, q);
    } else if (same(type, "application/*")) {
      json.offer(1, q);
      ndjson.offer(1, q);
    } else if (type == "*/*") {
      json.offer(0, q);
      ndjson.offer(0, q);
    }
  }
  const bool prefers_ndjson =
      ndjson.quality > json.quality || (ndjson.quality == json.quality && ndjson.exactness > json.exactness);
  if (has_ndjson && ndjson.quality > 0 && prefers_ndjson) return BodyFormat::Ndjson;
  if (json.quality > 0) return BodyFormat::Json;
  return std::nullopt;
}

}  // namespace stele::api
