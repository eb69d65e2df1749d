// The parts of access control by themselves: key store, API keys, JWTs, the limiter of failures.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <set>

#include "tests/api/access_support.h"
#include "tests/support/simulated_file_system.h"

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

/// Keys are slow to make, so that all tests share them.
const SigningKey& ed25519() {
  static const SigningKey key(SigningKey::Kind::Ed25519, "ed");
  return key;
}
const SigningKey& p256() {
  static const SigningKey key(SigningKey::Kind::P256, "ec");
  return key;
}
const SigningKey& rsa() {
  static const SigningKey key(SigningKey::Kind::Rsa2048, "rsa");
  return key;
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

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
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
        replaced(p256().jwk(), R"("kid":"ec")", R"("kid":"")"), replaced(rsa().jwk(), R"("e":"AQAB")", R"("e":"AQ")"),
        replaced(rsa().jwk(), R"("e":"AQAB")", R"("e":"AA")")}) {
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

TEST_CASE("Roles.NamesAreThereAndBack") {
  for (const Role role : roles()) CHECK(role_of(name_of(role)) == role);
  CHECK_FALSE(role_of("root"));
  CHECK_FALSE(role_of(""));
}

TEST_CASE("ApiKey.SecretsAreLongAndNeverTheSame") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string secret = make_api_secret();
    REQUIRE(secret.starts_with("stele_"));
    REQUIRE(base64url_decode(secret.substr(6)).value_or("").size() == 32);
    REQUIRE(seen.insert(secret).second);
  }
}

TEST_CASE("ApiKey.TheListIsReadAsItWasWritten") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  CHECK(read_api_keys(store)->empty());
  std::vector<ApiKey> written(2);
  written[0] = {"1",          hash_of_secret("a"), {"Ada \"x\"\\ ü", Role::Service, {}},
                Timestamp{1}, Timestamp{2},        Timestamp{3}};
  written[0].principal.aggregate_types = {"A", "B\""};
  written[1] = {"2", hash_of_secret("b"), {"bob", Role::Admin, {}}, Timestamp{4}, std::nullopt, std::nullopt};
  REQUIRE(write_api_keys(store, written));
  const auto read = read_api_keys(store);
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const ApiKey& a = (*read)[i];
    const ApiKey& b = written[i];
    CHECK(a.id == b.id);
    CHECK(a.hash == b.hash);
    CHECK(a.principal.name == b.principal.name);
    CHECK(a.principal.role == b.principal.role);
    CHECK(a.principal.aggregate_types == b.principal.aggregate_types);
    CHECK(a.created == b.created);
    CHECK(a.expires == b.expires);
    CHECK(a.revoked == b.revoked);
  }
}

TEST_CASE("Authenticator.TellsWhichRolesTheKeysOfANameStillHave") {
  using Roles = std::vector<Role>;
  TestKeys keys;
  SetClock clock;
  const Timestamp soon{clock.time.micros + 10};
  const std::string first = keys.add(Role::Service, "ada");
  const std::string second = keys.add(Role::Reader, "ada", {}, soon);
  keys.add(Role::Admin, "bob", {}, clock.time);
  AuthenticatorOptions options;
  options.clock = &clock;
  const auto authenticator = keys.open(std::move(options));
  const auto roles = [&](std::string_view name) {
    Roles found = authenticator->roles_of_keys(name);
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(roles("ada") == Roles{Role::Reader, Role::Service});
  CHECK(roles("bob").empty());  // ended
  CHECK(roles("ad").empty());
  CHECK(roles("").empty());
  keys.revoke(first);
  CHECK(roles("ada") == Roles{Role::Reader});
  clock.time = soon;
  CHECK(roles("ada").empty());
  keys.add(Role::Admin, "ada");
  CHECK(roles("ada") == Roles{Role::Admin});
}

TEST_CASE("ApiKey.ADamagedListIsRefusedAndGivesNobodyMore") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  const std::string good =
      R"({"version":1,"keys":[{"id":"1","name":"ada","role":"reader","hash":")" +
      base64url_encode(std::string(32, 'h')) +
      R"(","created":"2026-03-01T12:00:00.000000Z","expires":"2026-03-01T12:00:00.000000Z","aggregateTypes":["A"]}]})";
  const auto readable = [&](const std::string& text) {
    REQUIRE(store.write(kApiKeysFile, text));
    return read_api_keys(store).has_value();
  };
  REQUIRE(readable(good));
  for (std::size_t size = 0; size < good.size(); ++size) REQUIRE_FALSE(readable(good.substr(0, size)));
  for (const auto& [what, by] :
       std::vector<std::pair<std::string, std::string>>{{"\"version\":1", "\"version\":2"},
                                                        {"\"reader\"", "\"root\""},
                                                        {"\"reader\"", "7"},
                                                        {"\"ada\"", "\"$ada\""},
                                                        {"[\"A\"]", "[]"},
                                                        {"[\"A\"]", "null"},
                                                        {"[\"A\"]", "[1]"},
                                                        {"\"expires\":\"2026", "\"expires\":\"20x6"},
                                                        {"\"hash\":\"", "\"hash\":\"AA"},
                                                        {"\"id\":\"1\",", ""},
                                                        {"\"keys\":[", "\"keys\":[7,"}}) {
    CAPTURE(what);
    CHECK_FALSE(readable(replaced(good, what, by)));
  }
}

TEST_CASE("KeyStore.IsForItsOwnerOnly") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  REQUIRE(store.write("secret", "s"));
  struct stat about {};
  REQUIRE(::stat(store.folder().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
  const std::string path = store.folder() + "/secret";
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  CHECK(store.read("secret").value() == "s");
  CHECK_FALSE(store.read("other").value());

  for (const mode_t mode : {0640, 0604, 0660, 0601}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto refused = store.read("secret");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().describe().find("chmod 600 " + path) != std::string::npos);
  }
  for (const mode_t mode : {0750, 0705, 0777}) {
    REQUIRE(::chmod(store.folder().c_str(), mode) == 0);
    const auto refused = KeyStore::open(posix_file_system(), store.folder(), KeyStore::IfMissing::Create);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().describe().find("chmod 700 " + store.folder()) != std::string::npos);
  }
  CHECK_FALSE(KeyStore::open(posix_file_system(), keys.file("none"), KeyStore::IfMissing::Fail));
}

TEST_CASE("KeyStore.APowerCutLeavesTheOldContentOrTheNew") {
  for (std::uint64_t cut = 1; cut < 30; ++cut) {
    CAPTURE(cut);
    SimulatedFileSystem disk(cut);
    const auto open = [&] { return KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create).value(); };
    REQUIRE(open().write("secret", "old"));
    disk.cut_power_at_call(cut);
    bool acknowledged = false;
    if (auto store = KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create)) {
      acknowledged = store->write("secret", "new").has_value();
    }
    disk.crash();
    const auto after = open().read("secret").value();
    REQUIRE(after);
    CHECK((after == "new" || (!acknowledged && after == "old")));
    // What a cut left behind does not stand in the way.
    REQUIRE(open().write("secret", "newer"));
    CHECK(open().read("secret").value() == "newer");
  }
}

TEST_CASE("KeyStore.WhatIsRemovedIsGoneForGood") {
  SimulatedFileSystem disk(1);
  const KeyStore store = KeyStore::open(disk, "/keys", KeyStore::IfMissing::Create).value();
  REQUIRE(store.write("a", "1"));
  REQUIRE(store.write("b", "2"));
  REQUIRE(store.remove("a"));
  CHECK(store.remove("a"));
  disk.crash();
  CHECK_FALSE(store.read("a").value());
  CHECK(store.read("b").value() == "2");
}

TEST_CASE("KeyStore.OneChangesItAtATime") {
  const TestKeys keys;
  const KeyStore store = keys.store();
  auto held = store.lock();
  REQUIRE(held);
  CHECK(posix_file_system().lock(store.folder() + "/lock").error().kind == ErrorKind::Locked);
  held->reset();
  CHECK(store.lock());
}

TEST_CASE("AuthThrottle.LetsABurstThroughAndThenOneASecond") {
  AuthThrottle limiter;
  std::int64_t now = 1'000'000'000;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) REQUIRE_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 999'999;
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 1;
  CHECK_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now) == 1);
  // Being refused does not make it worse, and waiting makes it good.
  for (int i = 0; i < 1000; ++i) CHECK(limiter.failed("192.0.2.1", now) == 1);
  now += 3'600'000'000;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) REQUIRE_FALSE(limiter.failed("192.0.2.1", now));
  CHECK(limiter.failed("192.0.2.1", now));
}

TEST_CASE("AuthThrottle.CountsIpv6By64AndOthersApart") {
  AuthThrottle limiter;
  for (int i = 0; i < AuthThrottle::kBurst; ++i) {
    REQUIRE_FALSE(limiter.failed("2001:db8:1:2::" + std::to_string(i + 1), 5'000'000));
  }
  CHECK(limiter.failed("2001:db8:1:2:ffff::1%eth0", 5'000'000));
  // Another network has a place of its own, up to the rare address that shares one.
  int apart = 0;
  for (int i = 0; i < 20; ++i) {
    if (!limiter.failed("2001:db8:1:" + std::to_string(i + 100) + "::1", 5'000'000)) ++apart;
  }
  CHECK(apart >= 19);
}

TEST_CASE("JwtCache.KnowsATokenForItsKeysUntilItExpires") {
  JwtCache cache;
  const auto keys = std::make_shared<const JwkSet>();
  const Digest token = hash_of_secret("token");
  const auto principal = std::make_shared<const Principal>();
  CHECK_FALSE(cache.find(token, keys, Timestamp{0}));
  cache.put(token, keys, {principal, Timestamp{100}});
  CHECK(cache.find(token, keys, Timestamp{99}) == principal);
  CHECK_FALSE(cache.find(token, keys, Timestamp{100}));
  CHECK_FALSE(cache.find(hash_of_secret("other"), keys, Timestamp{99}));
  CHECK_FALSE(cache.find(token, std::make_shared<const JwkSet>(), Timestamp{99}));
  CHECK(cache.hits() == 1);
  CHECK(cache.misses() == 4);
}
