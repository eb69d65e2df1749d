#pragma once
// JSON Web Tokens (RFC 7519, RFC 8725) in compact form, signed.

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/access/jwk_set.h"
#include "api/access/principal.h"
#include "engine/base/ids.h"

namespace stele::api {

/// What a token must say beside being signed.
struct JwtPolicy {
  std::string issuer;    ///< `iss`
  std::string audience;  ///< `aud`, or one of it
};

/// The claims that are Stele's own: a role's name (required), and a list of aggregate types (absent = no limit).
inline constexpr std::string_view kRoleClaim = "stele_role";
inline constexpr std::string_view kAggregateTypesClaim = "stele_aggregate_types";

inline constexpr std::size_t kJwtBytesMax = 8192;
/// How far clocks may be apart: for so long a token counts before `nbf` and after `exp`.
inline constexpr std::int64_t kJwtLeewaySeconds = 30;

struct VerifiedJwt {
  std::shared_ptr<const Principal> principal;
  Timestamp good_until;  ///< `exp` and leeway
};

/// Why a token was refused: one sentence in static storage, with nothing of the token in it.
using JwtError = std::string_view;

/// Checks everything: the form (no member of header or claims twice), the algorithm (that of the key, whatever the
/// token says), the signature, then the claims. Any thread.
[[nodiscard]] std::variant<VerifiedJwt, JwtError> verify_jwt(std::string_view token, const JwkSet& keys,
                                                             const JwtPolicy& policy, Timestamp now);

}  // namespace stele::api
