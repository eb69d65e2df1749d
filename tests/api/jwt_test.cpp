// JWTs: signatures, algorithms, times and claims.

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

constexpr std::int64_t kNow = 1'900'000'000;
const Timestamp kTime{kNow * 1'000'000};

const JwtPolicy kPolicy{"https://issuer.example", "stele"};

/// Claims of a good token, without those named, with `extra` members.
std::string claims(const std::string& extra = "", const std::set<std::string>& without = {}) {
  std::string text;
  const auto add = [&](const std::string& name, const std::string& value) {
    if (!without.contains(name)) text += (text.empty() ? "\"" : ",\"") + name + "\":" + value;
  };
  add("iss", R"("https://issuer.example")");
  add("aud", R"("stele")");
  add("sub", R"("ada")");
  add("exp", std::to_string(kNow + 600));
  add("stele_role", R"("writer")");
  return "{" + text + extra + "}";
}

JwkSet all_keys() {
  auto set = JwkSet::parse(jwks({ed25519().jwk(), p256().jwk(), rsa().jwk()}));
  REQUIRE(set);
  return std::move(*set);
}

std::string error_of(const std::string& token, const JwtPolicy& policy = kPolicy) {
  static const JwkSet keys = all_keys();
  const auto verified = verify_jwt(token, keys, policy, kTime);
  const auto* error = std::get_if<JwtError>(&verified);
  return error == nullptr ? "" : std::string(*error);
}

std::shared_ptr<const Principal> principal_of(const std::string& token) {
  static const JwkSet keys = all_keys();
  const auto verified = verify_jwt(token, keys, kPolicy, kTime);
  const auto* good = std::get_if<VerifiedJwt>(&verified);
  return good == nullptr ? nullptr : good->principal;
}

}  // namespace

TEST_CASE("Jwt.EachAlgorithmIsVerified") {
  for (const SigningKey* key : {&ed25519(), &p256(), &rsa()}) {
    CAPTURE(key->kid());
    const auto principal = principal_of(key->token(claims()));
    REQUIRE(principal);
    CHECK(principal->name == "ada");
    CHECK(principal->role == Role::Writer);
    CHECK(principal->aggregate_types.empty());
  }
}

TEST_CASE("Jwt.ASignatureWithAnyBitChangedIsRefused") {
  for (const SigningKey* key : {&ed25519(), &p256(), &rsa()}) {
    CAPTURE(key->kid());
    const std::string message = base64url_encode(key->header()) + "." + base64url_encode(claims());
    const std::string signature = key->sign(message);
    for (std::size_t bit = 0; bit < signature.size() * 8; bit += 7) {
      std::string changed = signature;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      CAPTURE(bit);
      REQUIRE(error_of(message + "." + base64url_encode(changed)) == "Its signature is wrong.");
    }
    for (const std::string& wrong : {signature.substr(1), signature + '\0', std::string(signature.size(), '\0'),
                                     std::string(signature.size(), '\xFF'), std::string("x")}) {
      CHECK(error_of(message + "." + base64url_encode(wrong)) == "Its signature is wrong.");
    }
  }
}

TEST_CASE("Jwt.AMessageWithAnyByteChangedIsRefused") {
  const std::string token = ed25519().token(claims());
  const std::size_t end = token.rfind('.');
  for (std::size_t i = 0; i < end; ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CAPTURE(i);
    REQUIRE_FALSE(error_of(changed).empty());
  }
}

TEST_CASE("Jwt.TheKeyDecidesTheAlgorithmAndNeverTheToken") {
  const auto with_header = [](const SigningKey& key, const std::string& alg, const std::string& kid) {
    return key.token_of(R"({"alg":")" + alg + R"(","kid":")" + kid + R"("})", claims());
  };
  for (const char* alg :
       {"none", "None", "nOnE", "HS256", "HS512", "ES256", "RS256", "PS256", "RS512", "eddsa", "", "Ed25519"}) {
    CAPTURE(alg);
    CHECK(error_of(with_header(ed25519(), alg, "ed")) == "Its alg is not that of the key.");
  }
  CHECK(error_of(with_header(rsa(), "PS256", "rsa")) == "Its alg is not that of the key.");
  CHECK(error_of(with_header(p256(), "EdDSA", "ec")) == "Its alg is not that of the key.");
  // A key signs, another one is named.
  CHECK(error_of(with_header(ed25519(), "RS256", "rsa")) == "Its signature is wrong.");
  CHECK(error_of(with_header(rsa(), "EdDSA", "ed")) == "Its signature is wrong.");
  const SigningKey stranger(SigningKey::Kind::Ed25519, "ed");
  CHECK(error_of(stranger.token(claims())) == "Its signature is wrong.");
  CHECK(error_of(with_header(ed25519(), "EdDSA", "other")) == "Its kid names no key that is trusted here.");
  CHECK(error_of(ed25519().token_of(R"({"alg":"EdDSA"})", claims())) == "Its kid names no key that is trusted here.");
  CHECK(error_of(ed25519().token_of(R"({"alg":"EdDSA","kid":7})", claims())) ==
        "Its kid names no key that is trusted here.");
  CHECK(error_of(ed25519().token_of(R"({"kid":"ed"})", claims())) == "Its alg is not that of the key.");
  // No signature at all.
  const std::string message = base64url_encode(R"({"alg":"none","kid":"ed"})") + "." + base64url_encode(claims());
  CHECK_FALSE(error_of(message + ".").empty());
  CHECK_FALSE(error_of(message).empty());
}

TEST_CASE("Jwt.MalformedOnesAreRefused") {
  const std::string good = ed25519().token(claims());
  REQUIRE(error_of(good).empty());
  const std::size_t first = good.find('.');
  const std::size_t second = good.rfind('.');
  const std::string header = good.substr(0, first);
  const std::string body = good.substr(first + 1, second - first - 1);
  const std::string signature = good.substr(second + 1);
  for (const std::string& token :
       {std::string(), std::string("."), std::string(".."), std::string("a.b"), std::string("a.b.c"), good + ".",
        good + ".x", "." + good, header + ".." + signature, "." + body + "." + signature, header + "." + body + ".",
        header + "=." + body + "." + signature, header + "." + body + "==." + signature,
        header + "." + body + "." + signature + "=", header + "." + body + "." + signature + "+",
        header + "." + body + "+/." + signature, header + ". " + body + "." + signature, good + "\n",
        header + "\n." + body + "." + signature}) {
    CAPTURE(token);
    CHECK_FALSE(error_of(token).empty());
  }
  // Signed rightly, and yet no objects, or with members that stand twice.
  for (const std::string& text :
       {std::string("[]"), std::string("1"), std::string("{"), std::string("\"x\""), std::string(""),
        std::string("null"), claims(R"(,"sub":"eve")"), claims(R"(,"sub":"ada")"), claims(R"(,"su\u0062":"eve")"),
        claims(R"(,"x":1,"x":1)"), claims() + claims(), claims(",\"x\":\"\xFF\"")}) {
    CAPTURE(text);
    CHECK_FALSE(error_of(ed25519().token(text)).empty());
  }
  for (const std::string& text :
       {std::string("[]"), std::string("{"), std::string(R"({"alg":"EdDSA","alg":"EdDSA","kid":"ed"})"),
        std::string(R"({"alg":"EdDSA","kid":"rsa","kid":"ed"})"),
        std::string(R"({"alg":"EdDSA","kid":"ed","crit":["exp"],"exp":1})"),
        std::string(R"({"alg":"EdDSA","kid":"ed","crit":[]})"),
        std::string(R"({"alg":"EdDSA","kid":"ed","typ":"JOSE"})"),
        std::string(R"({"alg":"EdDSA","kid":"ed","typ":1})")}) {
    CAPTURE(text);
    CHECK_FALSE(error_of(ed25519().token_of(text, claims())).empty());
  }
  for (const char* type : {"JWT", "jwt", "at+jwt", "application/at+jwt"}) {
    CAPTURE(type);
    CHECK(error_of(ed25519().token_of(R"({"typ":")" + std::string(type) + R"(","alg":"EdDSA","kid":"ed"})", claims()))
              .empty());
  }
  CHECK(error_of(ed25519().token(claims(R"(,"x":")" + std::string(8192, 'x') + '"'))) ==
        "It is longer than 8192 bytes.");
}

TEST_CASE("Jwt.TimesAreCheckedWithALittleLeeway") {
  const auto with = [](const std::string& extra, const std::set<std::string>& without = {}) {
    return error_of(ed25519().token(claims(extra, without)));
  };
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  const auto expires = [&](const std::string& value) { return with(R"(,"exp":)" + value, {"exp"}); };
  CHECK(with("", {"exp"}) == "It has no exp, or one that is no time.");
  for (const char* value : {"\"1900000600\"", "null", "-1", "1e300", "true", "[]"}) {
    CAPTURE(value);
    CHECK(expires(value) == "It has no exp, or one that is no time.");
  }
  CHECK(expires(number(kNow - kJwtLeewaySeconds)) == "It has expired.");
  CHECK(expires("0") == "It has expired.");
  CHECK(expires(number(kNow - kJwtLeewaySeconds + 1)).empty());
  CHECK(expires(number(kNow + 1) + ".5").empty());
  CHECK(expires("1.9000006e9").empty());
  CHECK(with(R"(,"nbf":)" + number(kNow + kJwtLeewaySeconds)).empty());
  CHECK(with(R"(,"nbf":)" + number(kNow + kJwtLeewaySeconds + 1)) == "It is not good yet.");
  CHECK(with(R"(,"nbf":"soon")") == "Its nbf is no time.");
}

TEST_CASE("Jwt.ClaimsMustBeThoseThatAreConfigured") {
  const auto with = [](const std::string& extra, const std::set<std::string>& without = {}) {
    return error_of(ed25519().token(claims(extra, without)));
  };
  CHECK(with("", {"iss"}) == "It is from another issuer.");
  CHECK(with(R"(,"iss":"https://issuer.example/")", {"iss"}) == "It is from another issuer.");
  CHECK(with(R"(,"iss":["https://issuer.example"])", {"iss"}) == "It is from another issuer.");
  CHECK(with("", {"aud"}) == "It is for another audience.");
  for (const char* aud : {R"("Stele")", R"("stele ")", "[]", R"(["other"])", R"(["stele",1])", "1", R"([["stele"]])"}) {
    CAPTURE(aud);
    CHECK(with(R"(,"aud":)" + std::string(aud), {"aud"}) == "It is for another audience.");
  }
  CHECK(with(R"(,"aud":["other","stele"])", {"aud"}).empty());
  CHECK(with("", {"sub"}) == "It has no sub, or one that can be no userId.");
  for (const std::string& sub : {std::string(R"("")"), std::string(R"("$system")"), std::string(R"("a\nb")"),
                                 std::string("7"), "\"" + std::string(256, 'a') + "\""}) {
    CAPTURE(sub);
    CHECK(with(R"(,"sub":)" + sub, {"sub"}) == "It has no sub, or one that can be no userId.");
  }
  CHECK(with("", {"stele_role"}) == "Its stele_role is no role.");
  for (const char* role : {R"("root")", R"("Admin")", R"(["admin"])", "1", R"("")"}) {
    CAPTURE(role);
    CHECK(with(R"(,"stele_role":)" + std::string(role), {"stele_role"}) == "Its stele_role is no role.");
  }
  const std::string types = R"(,"stele_aggregate_types":)";
  for (const char* limit : {"[]", R"("Order")", "null", "{}", "[1]", R"([""])", R"(["$x"])"}) {
    CAPTURE(limit);
    CHECK_FALSE(with(types + limit).empty());
  }
  const auto limited = principal_of(ed25519().token(claims(types + R"(["Order","Invoice","Order"])")));
  REQUIRE(limited);
  CHECK(limited->aggregate_types == std::vector<std::string>{"Invoice", "Order"});
}
