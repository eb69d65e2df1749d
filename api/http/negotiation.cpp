#include "api/http/negotiation.h"

#include <algorithm>
#include <array>
#include <string>

#include "api/http/field_list.h"

namespace stele::api {

namespace {

/// None of its names is registered, and all are in use.
constexpr std::array kNdjsonNames{kNdjsonType, std::string_view("application/ndjson"),
                                  std::string_view("application/jsonl")};

/// The name, in static storage, if it is one of NDJSON; else empty.
std::string_view ndjson_name(std::string_view type) {
  for (const std::string_view name : kNdjsonNames) {
    if (same_token(type, name)) return name;
  }
  return {};
}

struct Preference {
  std::string_view name;  ///< of the form
  int exactness = -1;     ///< of the media range that decided: 2 type/subtype, 1 type/*, 0 */*; -1 none did
  int quality = 0;

  void offer(int exactness_offered, int quality_offered, std::string_view name_offered = {}) {
    if (exactness_offered > exactness || (exactness_offered == exactness && quality_offered > quality)) {
      exactness = exactness_offered;
      quality = quality_offered;
      if (!name_offered.empty()) name = name_offered;
    }
  }
};

/// What a parameter's value means: a token as it stands, or what a quoted string holds.
std::string unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  value = value.substr(1, value.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

/// The one media type that a Content-Type names; empty for several, and for another charset than UTF-8.
std::string_view utf8_type(std::string_view content_type) {
  std::string_view parameters = content_type;
  const std::string_view type = take_part(parameters, ';');
  if (parameters.empty()) return type;
  // Two fields arrive joined; which of them is meant is anyone's guess.
  static_cast<void>(take_part(content_type, ','));
  if (!content_type.empty()) return {};
  while (!parameters.empty()) {
    std::string_view value = take_part(parameters, ';');
    const std::string_view name = take_part(value, '=');
    if (!same_token(name, "charset")) continue;
    const std::string charset = unquoted(trimmed(value));
    if (!same_token(charset, "utf-8") && !same_token(charset, "utf8")) return {};
  }
  return type;
}

}  // namespace

std::optional<BodyFormat> body_format(std::string_view content_type) {
  const std::string_view type = utf8_type(content_type);
  if (same_token(type, kJsonType)) return BodyFormat::Json;
  if (!ndjson_name(type).empty()) return BodyFormat::Ndjson;
  return std::nullopt;
}

bool is_script_type(std::string_view content_type) {
  const std::string_view type = utf8_type(content_type);
  return same_token(type, "text/javascript") || same_token(type, "application/javascript");
}

std::optional<AcceptedForm> accepted_form(std::string_view accept, bool has_ndjson) {
  constexpr AcceptedForm as_json{BodyFormat::Json, kJsonType};
  if (trimmed(accept).empty()) return as_json;
  Preference json{kJsonType};
  Preference ndjson{kNdjsonType};
  while (!accept.empty()) {
    std::string_view range = take_part(accept, ',');
    const std::string_view type = take_part(range, ';');
    const int q = quality_of(range);
    if (same_token(type, kJsonType)) {
      json.offer(2, q);
    } else if (const std::string_view name = ndjson_name(type); !name.empty()) {
      ndjson.offer(2, q, name);
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
  if (has_ndjson && ndjson.quality > 0 && prefers_ndjson) return AcceptedForm{BodyFormat::Ndjson, ndjson.name};
  if (json.quality > 0) return as_json;
  return std::nullopt;
}

bool accepts(std::string_view accept, std::string_view type) {
  if (trimmed(accept).empty()) return true;
  const std::string any_subtype = std::string(type.substr(0, type.find('/'))) + "/*";
  Preference preference;
  while (!accept.empty()) {
    std::string_view range = take_part(accept, ',');
    const std::string_view named = take_part(range, ';');
    const int exactness = same_token(named, type) ? 2 : same_token(named, any_subtype) ? 1 : named == "*/*" ? 0 : -1;
    if (exactness >= 0) preference.offer(exactness, quality_of(range));
  }
  return preference.quality > 0;
}

}  // namespace stele::api
