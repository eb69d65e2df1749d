#include "api/http/request_headers.h"

#include <simdjson.h>

#include <algorithm>

#include "api/json/control_characters.h"

namespace stele::api {

namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;
constexpr std::size_t kCorrelationBytesMax = 255;

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

std::variant<std::string, FieldError> correlation_of(const Request& request) {
  const std::string_view given = request.header("X-Correlation-Id");
  if (given.empty() && !request.has_header("X-Correlation-Id")) {
    return std::string(trace_id_of(request.header("traceparent")));
  }
  if (given.empty() || given.size() > kCorrelationBytesMax || !simdjson::validate_utf8(given.data(), given.size()) ||
      has_control_characters(given)) {
    return FieldError{"header", "X-Correlation-Id", "Must have 1 to 255 bytes of UTF-8 and no control characters.", {}};
  }
  return std::string(given);
}

std::string_view trace_id_of(std::string_view traceparent) {
  // version "-" trace id "-" parent id "-" flags; later versions may append fields.
  constexpr std::size_t kBytes = 55;
  if (traceparent.size() < kBytes || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-')
    return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  const std::string_view flags = traceparent.substr(53, 2);
  if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) || !is_lower_hex(flags)) return {};
  if (version == "ff" || all_zero(trace) || all_zero(parent)) return {};
  if (traceparent.size() > kBytes && (version == "00" || traceparent[kBytes] != '-')) return {};
  return trace;
}

std::string_view span_id_of(std::string_view traceparent) {
  return trace_id_of(traceparent).empty() ? std::string_view{} : traceparent.substr(36, 16);
}

std::optional<std::string> idempotency_key_of(std::string_view field) {
  std::string key;
  if (!field.empty() && field.front() == '"') {
    if (field.size() < 2 || field.back() != '"') return std::nullopt;
    const std::string_view inner = field.substr(1, field.size() - 2);
    for (std::size_t i = 0; i < inner.size(); ++i) {
      if (inner[i] == '"') return std::nullopt;
      if (inner[i] == '\\') {
        if (++i == inner.size() || (inner[i] != '"' && inner[i] != '\\')) return std::nullopt;
      }
      key += inner[i];
    }
  } else {
    key = field;
  }
  if (key.empty() || key.size() > kIdempotencyKeyBytesMax) return std::nullopt;
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; })) return std::nullopt;
  return key;
}

}  // namespace stele::api
