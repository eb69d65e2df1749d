// JWTs as clients send them, and JWKS files.

#include "api/access/jwt.h"

#include <algorithm>

#include "engine/base/base64.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

constexpr Timestamp kNow{1'900'000'000'000'000};
const JwtPolicy kPolicy{"i", "a"};

const unsigned char* as_unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// The same key in every process, so that inputs keep their meaning.
EVP_PKEY* private_key() {
  static const std::string seed(32, 'k');
  static const Jwk::Handle key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_unsigned(seed), seed.size()));
  STELE_CHECK(key != nullptr);
  return key.get();
}

std::string sign(std::string_view message) {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  STELE_CHECK(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, private_key()) == 1);
  STELE_CHECK(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, as_unsigned(message),
                             message.size()) == 1);
  EVP_MD_CTX_free(context);
  return signature;
}

std::string jwks() {
  std::string x(32, '\0');
  std::size_t size = x.size();
  STELE_CHECK(EVP_PKEY_get_raw_public_key(private_key(), reinterpret_cast<unsigned char*>(x.data()), &size) == 1);
  return R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":")" + base64url_encode(x) + R"("}]})";
}

std::string token_of(std::string_view header, std::string_view claims) {
  const std::string message = base64url_encode(header) + "." + base64url_encode(claims);
  return message + "." + base64url_encode(sign(message));
}

constexpr std::string_view kHeader = R"({"alg":"EdDSA","kid":"k","typ":"JWT"})";
constexpr std::string_view kClaims =
    R"({"iss":"i","aud":["b","a"],"sub":"s","exp":1900000001.5,"nbf":1,"stele_role":"writer","stele_aggregate_types":["A","B"]})";

std::vector<std::string> seeds() {
  return {
      std::string(kHeader) + "\n" + std::string(kClaims), token_of(kHeader, kClaims), jwks(),
      R"({"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"RSA","kid":"r","n":"AQ","e":"AQAB","use":"sig"}]})"};
}

void check(std::string_view token, const JwkSet& keys) {
  const auto verified = verify_jwt(token, keys, kPolicy, kNow);
  const auto* good = std::get_if<VerifiedJwt>(&verified);
  if (good == nullptr) {
    STELE_CHECK(!std::get<JwtError>(verified).empty());
    return;
  }
  const Principal& principal = *good->principal;
  STELE_CHECK(good->good_until > kNow && is_principal_name(principal.name));
  STELE_CHECK(principal.aggregate_types.size() <= kLimitTypesMax);
  STELE_CHECK(std::is_sorted(principal.aggregate_types.begin(), principal.aggregate_types.end()));
}

}  // namespace

FUZZ_TARGET(jwt, seeds) {
  static const JwkSet keys = JwkSet::parse(jwks()).value();
  const fuzz::Exact exact(input);
  check(exact.view(), keys);
  // The input as a set of keys.
  if (const auto set = JwkSet::parse(exact.view())) {
    STELE_CHECK(set->size() > 0);
    check(token_of(kHeader, kClaims), *set);
  }
  // As header and claims, signed.
  const std::size_t line = std::min(input.find('\n'), input.size());
  check(token_of(input.substr(0, line), input.substr(std::min(line + 1, input.size()))), keys);
  check(token_of(kHeader, input), keys);
}

}  // namespace stele::api
