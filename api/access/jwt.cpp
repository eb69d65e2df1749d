#include "api/access/jwt.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/base/base64.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kMembersMax = 100;
constexpr std::int64_t kMicrosPerSecond = 1'000'000;
/// Year 9999; keeps sums in range.
constexpr double kSecondsMax = 253'402'300'799.0;

constexpr JwtError kMalformed = "It is not a JWT in compact form.";

/// An object without repeated members; none for anything else.
std::optional<dom::object> strict_object(dom::parser& parser, const std::string& json) {
  dom::object object;
  if (parser.parse(json).get(object) != simdjson::SUCCESS) return std::nullopt;
  std::vector<std::string_view> names;
  for (const auto field : object) {
    if (names.size() == kMembersMax) return std::nullopt;
    names.push_back(field.key);
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) return std::nullopt;
  return object;
}

bool has(const dom::object& object, std::string_view name) { return object[name].error() != simdjson::NO_SUCH_FIELD; }

std::optional<std::string_view> text(const dom::object& object, std::string_view name) {
  std::string_view value;
  if (object[name].get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::optional<Timestamp> numeric_date(const dom::object& object, std::string_view name) {
  double seconds = 0;
  if (object[name].get(seconds) != simdjson::SUCCESS || !std::isfinite(seconds)) return std::nullopt;
  if (seconds < 0 || seconds > kSecondsMax) return std::nullopt;
  return Timestamp{static_cast<std::int64_t>(seconds * static_cast<double>(kMicrosPerSecond))};
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

bool is_for(const dom::object& claims, std::string_view audience) {
  if (const auto one = text(claims, "aud")) return *one == audience;
  dom::array several;
  if (claims["aud"].get(several) != simdjson::SUCCESS) return false;
  bool found = false;
  for (const dom::element each : several) {
    std::string_view name;
    if (each.get(name) != simdjson::SUCCESS) return false;
    found = found || name == audience;
  }
  return found;
}

std::variant<const Jwk*, JwtError> key_for(const dom::object& header, const JwkSet& keys) {
  if (has(header, "crit")) return JwtError("It has critical header members, of which none is known here.");
  if (has(header, "typ")) {
    const std::string_view type = text(header, "typ").value_or("");
    const bool known = equal_ignoring_case(type, "jwt") || equal_ignoring_case(type, "at+jwt") ||
                       equal_ignoring_case(type, "application/at+jwt");
    if (!known) return JwtError("Its typ is none of JWT and at+jwt.");
  }
  const auto kid = text(header, "kid");
  const Jwk* const key = kid ? keys.find(*kid) : nullptr;
  if (key == nullptr) return JwtError("Its kid names no key that is trusted here.");
  if (text(header, "alg") != key->algorithm_name()) return JwtError("Its alg is not that of the key.");
  return key;
}

std::variant<VerifiedJwt, JwtError> check_claims(const dom::object& claims, const JwtPolicy& policy, Timestamp now) {
  constexpr std::int64_t kLeeway = kJwtLeewaySeconds * kMicrosPerSecond;
  const auto expires = numeric_date(claims, "exp");
  if (!expires) return JwtError("It has no exp, or one that is no time.");
  if (expires->micros + kLeeway <= now.micros) return JwtError("It has expired.");
  if (has(claims, "nbf")) {
    const auto not_before = numeric_date(claims, "nbf");
    if (!not_before) return JwtError("Its nbf is no time.");
    if (not_before->micros - kLeeway > now.micros) return JwtError("It is not good yet.");
  }
  if (text(claims, "iss") != policy.issuer) return JwtError("It is from another issuer.");
  if (!is_for(claims, policy.audience)) return JwtError("It is for another audience.");

  Principal principal;
  principal.name = text(claims, "sub").value_or("");
  if (!is_principal_name(principal.name)) return JwtError("It has no sub, or one that can be no userId.");
  const auto role = role_of(text(claims, kRoleClaim).value_or(""));
  if (!role) return JwtError("Its stele_role is no role.");
  principal.role = *role;
  if (has(claims, kAggregateTypesClaim)) {
    constexpr JwtError kNoLimit = "Its stele_aggregate_types is no list of 1 to 100 aggregate types.";
    dom::array types;
    if (claims[kAggregateTypesClaim].get(types) != simdjson::SUCCESS || types.begin() == types.end()) return kNoLimit;
    for (const dom::element each : types) {
      std::string_view type;
      if (each.get(type) != simdjson::SUCCESS) return kNoLimit;
      principal.aggregate_types.emplace_back(type);
    }
    if (!make_type_limit(principal.aggregate_types)) return kNoLimit;
  }
  return VerifiedJwt{std::make_shared<const Principal>(std::move(principal)), Timestamp{expires->micros + kLeeway}};
}

}  // namespace

std::variant<VerifiedJwt, JwtError> verify_jwt(std::string_view token, const JwkSet& keys, const JwtPolicy& policy,
                                               Timestamp now) {
  if (token.size() > kJwtBytesMax) return JwtError("It is longer than 8192 bytes.");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return kMalformed;
  const auto header_json = base64url_decode(token.substr(0, first));
  const auto claims_json = base64url_decode(token.substr(first + 1, second - first - 1));
  const auto signature = base64url_decode(token.substr(second + 1));
  if (!header_json || !claims_json || !signature || signature->empty()) return kMalformed;

  dom::parser header_parser;
  const auto header = strict_object(header_parser, *header_json);
  if (!header) return kMalformed;
  const auto key = key_for(*header, keys);
  if (const auto* error = std::get_if<JwtError>(&key)) return *error;
  if (!std::get<const Jwk*>(key)->verify(token.substr(0, second), *signature)) {
    return JwtError("Its signature is wrong.");
  }
  dom::parser claims_parser;
  const auto claims = strict_object(claims_parser, *claims_json);
  if (!claims) return kMalformed;
  return check_claims(*claims, policy, now);
}

}  // namespace stele::api
