#pragma once
// Header fields that shape what is appended: correlation and idempotency.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"

namespace stele::api {

/// The correlation id a request brings: X-Correlation-Id, else the trace id of a valid W3C traceparent; empty if it has
/// neither. An error for an X-Correlation-Id that is no text of 1..255 bytes of UTF-8 without control characters; a
/// broken traceparent is ignored, as that specification demands.
[[nodiscard]] std::variant<std::string, FieldError> correlation_of(const Request& request);

/// The trace id (32 hex digits) of a `traceparent` value; empty if it is not valid.
[[nodiscard]] std::string_view trace_id_of(std::string_view traceparent);
/// Its parent id, which names the span of the caller.
[[nodiscard]] std::string_view span_id_of(std::string_view traceparent);

/// The key in an Idempotency-Key field: a quoted structured-field string or bare text, 1..255 visible characters; none
/// if it is faulty.
[[nodiscard]] std::optional<std::string> idempotency_key_of(std::string_view field);

}  // namespace stele::api
