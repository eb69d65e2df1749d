#pragma once
// The body of a request for a redaction.

#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "engine/log/record.h"

namespace stele::api {

inline constexpr std::size_t kRedactionBodyBytesMax = 16U << 10;

struct RedactionRequest {
  std::string reason;  ///< 1..1,000 characters
  BodyMemberSet members = BodyMemberSet::all();
  bool dry_run = false;
};
[[nodiscard]] std::variant<RedactionRequest, Problem> parse_redaction_request(std::string_view body);

}  // namespace stele::api
