#pragma once
// Content-Type and Accept.

#include <optional>
#include <string_view>

#include "api/body_format.h"

namespace stele::api {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kNdjsonType = "application/x-ndjson";

/// What a Content-Type says about a body of events; none for a type, charset or parameter that is not supported, or no
/// type at all.
[[nodiscard]] std::optional<BodyFormat> body_format(std::string_view content_type);

/// Which of the forms an Accept field asks for: NDJSON only where `has_ndjson`, and only if the client prefers it or
/// names it more exactly than JSON. None if it rules out all of them. An empty field accepts everything.
[[nodiscard]] std::optional<BodyFormat> accepted_format(std::string_view accept, bool has_ndjson);

}  // namespace stele::api
