#pragma once
// Content-Type and Accept.

#include <optional>
#include <string_view>

#include "api/http/body_format.h"

namespace stele::api {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kNdjsonType = "application/x-ndjson";
inline constexpr std::string_view kEventStreamType = "text/event-stream";

/// What a Content-Type says about a body of events; none for a type or charset that is not supported, for several
/// types, or no type at all. NDJSON also goes by the names application/ndjson and application/jsonl. Parameters other
/// than charset are ignored.
[[nodiscard]] std::optional<BodyFormat> body_format(std::string_view content_type);

/// Whether a Content-Type is JavaScript in UTF-8: text/javascript (RFC 9239), or application/javascript, its older
/// name.
[[nodiscard]] bool is_script_type(std::string_view content_type);

/// A form in which an answer is wanted.
struct AcceptedForm {
  BodyFormat format = BodyFormat::Json;
  std::string_view type = kJsonType;  ///< by the name that the client knows it by; static storage
  bool operator==(const AcceptedForm&) const = default;
};

/// Which of the forms an Accept field asks for: NDJSON only where `has_ndjson`, and only if the client prefers it or
/// names it more exactly than JSON. None if it rules out all of them. An empty field accepts everything. Parameters
/// other than the quality are ignored.
[[nodiscard]] std::optional<AcceptedForm> accepted_form(std::string_view accept, bool has_ndjson);

/// Whether an Accept field admits a type, given in lower case.
[[nodiscard]] bool accepts(std::string_view accept, std::string_view type);

}  // namespace stele::api
