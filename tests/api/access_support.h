#pragma once
// Keys to sign JWTs with, made anew in each process, and a key store in a temp folder.

#include <doctest/doctest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/authenticator.h"
#include "engine/base/base64.h"

namespace stele::api::test {

/// One private key, and the JWK of its public half.
class SigningKey {
 public:
  enum class Kind { Ed25519, P256, P384, Rsa2048, Rsa1024 };

  SigningKey(Kind kind, std::string kid) : kind_(kind), kid_(std::move(kid)) {
    EVP_PKEY* made = nullptr;
    if (kind == Kind::Ed25519) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (kind == Kind::P256) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    if (kind == Kind::P384) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384");
    if (kind == Kind::Rsa2048) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
    if (kind == Kind::Rsa1024) made = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024});
    REQUIRE(made != nullptr);
    key_.reset(made);
  }

  [[nodiscard]] const std::string& kid() const { return kid_; }
  [[nodiscard]] std::string algorithm() const {
    if (kind_ == Kind::Ed25519) return "EdDSA";
    if (kind_ == Kind::P256) return "ES256";
    return kind_ == Kind::P384 ? "ES384" : "RS256";
  }

  /// The public key, with `extra` members (each with a comma before it).
  [[nodiscard]] std::string jwk(const std::string& extra = "") const {
    std::string members;
    if (kind_ == Kind::Ed25519) {
      std::string x(32, '\0');
      std::size_t size = x.size();
      REQUIRE(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()), &size) == 1);
      members = R"("kty":"OKP","crv":"Ed25519","x":")" + base64url_encode(x) + '"';
    } else if (kind_ == Kind::P256 || kind_ == Kind::P384) {
      const std::size_t bytes = kind_ == Kind::P256 ? 32 : 48;
      members = R"("kty":"EC","crv":")" + std::string(kind_ == Kind::P256 ? "P-256" : "P-384") + R"(","x":")" +
                number(OSSL_PKEY_PARAM_EC_PUB_X, bytes) + R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y, bytes) + '"';
    } else {
      members = R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 0) + R"(","e":")" +
                number(OSSL_PKEY_PARAM_RSA_E, 0) + '"';
    }
    return "{" + members + R"(,"kid":")" + kid_ + '"' + extra + "}";
  }

  /// A signature as JWS has it.
  [[nodiscard]] std::string sign(std::string_view message) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const EVP_MD* const digest = kind_ == Kind::Ed25519 ? nullptr : EVP_sha256();
    REQUIRE(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1);
    const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
    std::size_t size = 0;
    REQUIRE(EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) == 1);
    std::string signature(size, '\0');
    REQUIRE(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                           message.size()) == 1);
    signature.resize(size);
    return kind_ == Kind::P256 || kind_ == Kind::P384 ? raw(signature, kind_ == Kind::P256 ? 32 : 48) : signature;
  }

  /// header.claims.signature over the two texts as they are.
  [[nodiscard]] std::string token_of(const std::string& header, const std::string& claims) const {
    const std::string message = base64url_encode(header) + "." + base64url_encode(claims);
    return message + "." + base64url_encode(sign(message));
  }
  [[nodiscard]] std::string header() const { return R"({"alg":")" + algorithm() + R"(","kid":")" + kid_ + R"("})"; }
  [[nodiscard]] std::string token(const std::string& claims) const { return token_of(header(), claims); }

  /// The DER form of an ECDSA signature as r ‖ s.
  [[nodiscard]] static std::string raw(const std::string& der, std::size_t bytes) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), &ECDSA_SIG_free);
    REQUIRE(signature != nullptr);
    std::string both(2 * bytes, '\0');
    auto* to = reinterpret_cast<unsigned char*>(both.data());
    REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, static_cast<int>(bytes)) > 0);
    REQUIRE(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + bytes, static_cast<int>(bytes)) > 0);
    return both;
  }

 private:
  /// A number of the key in base64url, padded to `bytes` unless that is 0.
  [[nodiscard]] std::string number(const char* name, std::size_t bytes) const {
    BIGNUM* got = nullptr;
    REQUIRE(EVP_PKEY_get_bn_param(key_.get(), name, &got) == 1);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> value(got, &BN_free);
    std::string text(bytes == 0 ? static_cast<std::size_t>(BN_num_bytes(got)) : bytes, '\0');
    REQUIRE(BN_bn2binpad(got, reinterpret_cast<unsigned char*>(text.data()), static_cast<int>(text.size())) >= 0);
    return base64url_encode(text);
  }

  Kind kind_;
  std::string kid_;
  Jwk::Handle key_;
};

[[nodiscard]] inline std::string jwks(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ",") + key;
  return R"({"keys":[)" + text + "]}";
}

/// A key store with keys to ask for.
class TestKeys {
 public:
  TestKeys() {
    std::string pattern = (std::filesystem::temp_directory_path() / "stele-keys-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~TestKeys() { std::filesystem::remove_all(folder_); }
  TestKeys(const TestKeys&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] KeyStore store() const {
    auto opened = KeyStore::open(posix_file_system(), file("keys"), KeyStore::IfMissing::Create);
    if (!opened) FAIL(opened.error().describe());
    return std::move(*opened);
  }
  /// Adds a key; the secret.
  std::string add(Role role, const std::string& name, std::vector<std::string> types = {},
                  std::optional<Timestamp> expires = std::nullopt) {
    ApiKey key;
    std::string secret = make_api_secret();
    key.id = make_api_key_id();
    key.hash = hash_of_secret(secret);
    key.principal = {name, role, std::move(types)};
    REQUIRE(make_type_limit(key.principal.aggregate_types));
    key.expires = expires;
    keys_.push_back(key);
    save();
    return secret;
  }
  void revoke(const std::string& secret) {
    for (ApiKey& key : keys_) {
      if (key.hash == hash_of_secret(secret)) key.revoked = Timestamp{1};
    }
    save();
  }
  void save() const {
    const Status written = write_api_keys(store(), keys_);
    if (!written) FAIL(written.error().describe());
  }
  [[nodiscard]] std::shared_ptr<Authenticator> open(AuthenticatorOptions options = {}) const {
    auto opened = Authenticator::open(store(), std::move(options));
    if (!opened) FAIL(opened.error().describe());
    return std::move(*opened);
  }
  void write(const std::string& name, std::string_view content) const {
    std::ofstream(file(name), std::ios::binary) << content;
  }

 private:
  std::string folder_;
  std::vector<ApiKey> keys_;
};

/// Stands still until it is told to go on.
class SetClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return time; }
  [[nodiscard]] std::int64_t monotonic_micros() const override { return time.micros; }
  Timestamp time{1'900'000'000'000'000};
};

/// Keys are slow to make, so that all tests share them.
inline const SigningKey& ed25519() {
  static const SigningKey key(SigningKey::Kind::Ed25519, "ed");
  return key;
}
inline const SigningKey& p256() {
  static const SigningKey key(SigningKey::Kind::P256, "ec");
  return key;
}
inline const SigningKey& rsa() {
  static const SigningKey key(SigningKey::Kind::Rsa2048, "rsa");
  return key;
}

/// With the first `what` replaced, which must be there.
inline std::string with_one_replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace stele::api::test
