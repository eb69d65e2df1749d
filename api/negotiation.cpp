#include "api/negotiation.h"

#include <algorithm>

#include "api/field_list.h"

namespace stele::api {

namespace {

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
  if (same_token(type, kJsonType)) format = BodyFormat::Json;
  if (same_token(type, kNdjsonType)) format = BodyFormat::Ndjson;
  while (!content_type.empty()) {
    const std::string_view parameter = take_part(content_type, ';');
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (!same_token(parameter.substr(0, equals), "charset") || !(same_token(value, "utf-8") || same_token(value, "utf8")))
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
    const int q = quality_of(range);
    if (same_token(type, kJsonType)) {
      json.offer(2, q);
    } else if (same_token(type, kNdjsonType)) {
      ndjson.offer(2, q);
    } else if (same_token(type, "application/*")) {
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
