// Which public keys are taken.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/api/access_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("Jwks.OnlySoundPublicSignatureKeysAreTaken") {
  const auto parsed = [](const std::vector<std::string>& keys) { return JwkSet::parse(jwks(keys)); };
  const auto size = [&](const std::vector<std::string>& keys) { return parsed(keys) ? parsed(keys)->size() : 0; };
  CHECK(size({ed25519().jwk(), p256().jwk(R"(,"use":"sig","alg":"ES256")"), rsa().jwk(R"(,"key_ops":["verify"])")}) ==
        3);
  const std::string good = ed25519().jwk();
  // What identity providers publish beside them is passed over.
  const SigningKey p384(SigningKey::Kind::P384, "p384");
  CHECK(size({good, p384.jwk(), rsa().jwk(R"(,"use":"enc")"), rsa().jwk(R"(,"alg":"RSA-OAEP")"),
              rsa().jwk(R"(,"alg":"PS256")"), rsa().jwk(R"(,"alg":"HS256")"), p256().jwk(R"(,"key_ops":["deriveKey"])"),
              R"({"kty":"oct","kid":"x"})", R"({"kty":"OKP","crv":"X25519","x":"AA","kid":"x"})"}) == 1);
  // What must not be there is refused as a whole.
  const SigningKey weak(SigningKey::Kind::Rsa1024, "weak");
  for (const std::string& bad :
       {weak.jwk(), good, rsa().jwk(R"(,"d":"AA")"), std::string(R"({"kty":"oct","k":"c2VjcmV0","kid":"x"})"),
        std::string("7"), std::string(R"({"kty":"OKP","crv":"Ed25519","x":"AA","kid":"x"})"),
        std::string(R"({"kty":"OKP","crv":"Ed25519","kid":"x"})"),
        std::string(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"x"})"),
        R"({"kty":"EC","crv":"P-256","x":")" + base64url_encode(std::string(32, 'x')) + R"(","y":")" +
            base64url_encode(std::string(32, 'y')) + R"(","kid":"x"})",
        with_one_replaced(p256().jwk(), R"("kid":"ec")", R"("kid":"")"),
        with_one_replaced(rsa().jwk(), R"("e":"AQAB")", R"("e":"AQ")"),
        with_one_replaced(rsa().jwk(), R"("e":"AQAB")", R"("e":"AA")")}) {
    CAPTURE(bad);
    CHECK_FALSE(parsed({good, bad}));
  }
  REQUIRE(parsed({}));
  CHECK(parsed({})->size() == 0);
  CHECK_FALSE(parsed({p384.jwk()}));
  for (const char* text : {"", "{", "[]", "{}", R"({"keys":{}})", R"({"keys":7})"}) {
    CAPTURE(text);
    CHECK_FALSE(JwkSet::parse(text));
  }
  CHECK_FALSE(JwkSet::parse({}));
  CHECK_FALSE(JwkSet::parse("\xEF\xBB\xBF"));
  CHECK(JwkSet::parse("\xEF\xBB\xBF" + jwks({p256().jwk()})));
}
