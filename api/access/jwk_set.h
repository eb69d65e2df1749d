#pragma once
// The public keys that JWTs may be signed with, from a JWKS file (RFC 7517).

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/known_key.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele::api {

/// One public key. It alone decides the algorithm, whatever a token says.
class Jwk {
 public:
  enum class Algorithm {
    EdDsa,  ///< Ed25519
    Es256,  ///< ECDSA on P-256 with SHA-256
    Rs256,  ///< RSASSA-PKCS1-v1_5 with SHA-256, 2048..8192 bits
  };
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  using Handle = std::unique_ptr<EVP_PKEY, Free>;

  Jwk(std::string kid, Algorithm algorithm, Handle key)
      : kid_(std::move(kid)), algorithm_(algorithm), key_(std::move(key)) {}

  [[nodiscard]] const std::string& kid() const { return kid_; }
  /// As `alg` of a token's header names it.
  [[nodiscard]] std::string_view algorithm_name() const;
  /// Of the key itself, whatever its kid.
  [[nodiscard]] Digest digest() const;
  /// `signature` as JWS (RFC 7515) has it. Any thread.
  [[nodiscard]] bool verify(std::string_view message, std::string_view signature) const;

 private:
  std::string kid_;
  Algorithm algorithm_;
  Handle key_;
};

/// Immutable.
class JwkSet {
 public:
  JwkSet() = default;

  /// Keys of other kinds or for other uses, as identity providers publish them too, are left out. An empty list is a
  /// set that trusts nobody. InvalidArgument if the text is no JWKS, if no key is left of a list, if a `kid` is missing
  /// or stands twice, if a key is broken or weak, and if a private key is in it.
  [[nodiscard]] static Result<JwkSet> parse(std::string_view json);

  [[nodiscard]] const Jwk* find(std::string_view kid) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  /// All of them, by kid.
  [[nodiscard]] std::vector<KnownKey> known() const;

 private:
  std::vector<Jwk> keys_;
};

}  // namespace stele::api
