#include "api/access/jwk_set.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <simdjson.h>

#include <algorithm>
#include <new>
#include <optional>

#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "engine/base/base64.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kCoordinateBytes = 32;
constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;
constexpr std::size_t kRsaExponentBytesMax = 8;
constexpr std::size_t kJwksMax = 100;

template <auto function>
struct FreeBy {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using Number = std::unique_ptr<BIGNUM, FreeBy<BN_free>>;
using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, FreeBy<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeBy<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeBy<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeBy<ECDSA_SIG_free>>;

const unsigned char* as_unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(as_unsigned(bytes), static_cast<int>(bytes.size()), nullptr));
}

Jwk::Handle key_from(const char* type, OSSL_PARAM_BLD* build) {
  const Params params(OSSL_PARAM_BLD_to_param(build));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return Jwk::Handle(key);
}

/// Any key that arithmetic rules out: a point off its curve, for one.
bool is_sound(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_public_check(context.get()) == 1;
}

Jwk::Handle ed25519_key(std::string_view x) {
  return Jwk::Handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, as_unsigned(x), x.size()));
}

Jwk::Handle p256_key(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) return nullptr;
  const std::string point = "\x04" + std::string(x) + std::string(y);
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (!build || OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return nullptr;
  }
  Jwk::Handle key = key_from("EC", build.get());
  return key && is_sound(key.get()) ? std::move(key) : nullptr;
}

Jwk::Handle rsa_key(std::string_view n, std::string_view e) {
  if (n.size() > kRsaBitsMax / 8 || e.size() > kRsaExponentBytesMax) return nullptr;
  const Number modulus = number_of(n);
  const Number exponent = number_of(e);
  const ParamBuild build(OSSL_PARAM_BLD_new());
  if (!modulus || !exponent || !build || BN_num_bits(modulus.get()) < kRsaBitsMin || BN_is_odd(modulus.get()) == 0 ||
      BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) != 0 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return key_from("RSA", build.get());
}

/// r and s as two numbers of 32 bytes, in the DER form that OpenSSL wants.
std::optional<std::string> der_signature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return std::nullopt;
  const Signature signature(ECDSA_SIG_new());
  Number r = number_of(raw.substr(0, kCoordinateBytes));
  Number s = number_of(raw.substr(kCoordinateBytes));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return std::nullopt;
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return std::nullopt;
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* to = reinterpret_cast<unsigned char*>(der.data());
  if (i2d_ECDSA_SIG(signature.get(), &to) != size) return std::nullopt;
  return der;
}

std::string_view jws_name(Jwk::Algorithm algorithm) {
  switch (algorithm) {
    case Jwk::Algorithm::EdDsa:
      return "EdDSA";
    case Jwk::Algorithm::Es256:
      return "ES256";
    case Jwk::Algorithm::Rs256:
      return "RS256";
  }
  return {};
}

/// Empty if it is missing or no text.
std::string_view text_or_empty(const dom::object& object, std::string_view name) {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

/// Empty if it is missing or no base64url.
std::string bytes_in(const dom::object& object, std::string_view name) {
  return base64url_decode(text_or_empty(object, name)).value_or("");
}

/// Whether the key is there to check signatures with; what does not say is.
bool is_for_signatures(const dom::object& object) {
  if (const auto use = text_or_empty(object, "use"); !use.empty() && use != "sig") return false;
  dom::array operations;
  if (object["key_ops"].get(operations) != simdjson::SUCCESS) return true;
  return std::any_of(operations.begin(), operations.end(), [](const dom::element& operation) {
    std::string_view name;
    return operation.get(name) == simdjson::SUCCESS && name == "verify";
  });
}

std::optional<Jwk::Algorithm> algorithm_of(const dom::object& object) {
  const std::string_view kind = text_or_empty(object, "kty");
  const std::string_view curve = text_or_empty(object, "crv");
  const std::string_view named = text_or_empty(object, "alg");
  std::optional<Jwk::Algorithm> algorithm;
  if (kind == "OKP" && curve == "Ed25519") algorithm = Jwk::Algorithm::EdDsa;
  if (kind == "EC" && curve == "P-256") algorithm = Jwk::Algorithm::Es256;
  if (kind == "RSA") algorithm = Jwk::Algorithm::Rs256;
  if (!algorithm) return std::nullopt;
  const bool same = named.empty() || named == jws_name(*algorithm) ||
                    (*algorithm == Jwk::Algorithm::EdDsa && named == "Ed25519");  // RFC 9864
  return same ? algorithm : std::nullopt;
}

Error refused(std::size_t index, const char* why) {
  return Error{.kind = ErrorKind::InvalidArgument, .message = "key " + std::to_string(index) + " of the JWKS " + why};
}

}  // namespace

std::string_view Jwk::algorithm_name() const { return jws_name(algorithm_); }

Digest Jwk::digest() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  if (size <= 0) throw std::bad_alloc();
  const Digest digest = sha256({std::string_view(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size))});
  OPENSSL_free(der);
  return digest;
}

bool Jwk::verify(std::string_view message, std::string_view signature) const {
  std::string der;
  if (algorithm_ == Algorithm::Es256) {
    auto converted = der_signature(signature);
    if (!converted) return false;
    der = std::move(*converted);
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const EVP_MD* const digest = algorithm_ == Algorithm::EdDsa ? nullptr : EVP_sha256();
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_.get()) == 1 &&
                    EVP_DigestVerify(context.get(), as_unsigned(signature), signature.size(), as_unsigned(message),
                                     message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<JwkSet> JwkSet::parse(std::string_view json) {
  const auto whole = [](const char* why) { return Error{.kind = ErrorKind::InvalidArgument, .message = why}; };
  dom::parser parser;
  dom::object root;
  dom::array list;
  json = without_byte_order_mark(json);
  // An empty view may have no address, and simdjson copies from it.
  if (json.empty() || parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
      root["keys"].get(list) != simdjson::SUCCESS) {
    return whole("it is no JWKS: a JSON object with a list `keys`");
  }
  JwkSet set;
  std::size_t index = 0;
  for (const dom::element element : list) {
    const std::size_t at = index++;
    if (at == kJwksMax) return whole("it holds more than 100 keys");
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) return refused(at, "is no object");
    for (const char* secret : {"d", "p", "q", "k"}) {
      if (object[secret].error() == simdjson::SUCCESS)
        return refused(at, "holds a secret; only public keys belong here");
    }
    const auto algorithm = algorithm_of(object);
    if (!algorithm || !is_for_signatures(object)) continue;
    const std::string_view kid = text_or_empty(object, "kid");
    if (kid.empty()) return refused(at, "has no kid");
    if (set.find(kid) != nullptr) return refused(at, "has the kid of an earlier one");
    Jwk::Handle key;
    switch (*algorithm) {
      case Jwk::Algorithm::EdDsa:
        key = ed25519_key(bytes_in(object, "x"));
        break;
      case Jwk::Algorithm::Es256:
        key = p256_key(bytes_in(object, "x"), bytes_in(object, "y"));
        break;
      case Jwk::Algorithm::Rs256:
        key = rsa_key(bytes_in(object, "n"), bytes_in(object, "e"));
        break;
    }
    ERR_clear_error();
    if (!key) return refused(at, "is broken, or RSA with fewer than 2048 or more than 8192 bits");
    set.keys_.emplace_back(std::string(kid), *algorithm, std::move(key));
  }
  if (set.keys_.empty() && index > 0) return whole("it has no key for EdDSA (Ed25519), ES256 or RS256");
  return set;
}

const Jwk* JwkSet::find(std::string_view kid) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Jwk& key) { return key.kid() == kid; });
  return found == keys_.end() ? nullptr : &*found;
}

std::vector<KnownKey> JwkSet::known() const {
  std::vector<KnownKey> all;
  for (const Jwk& key : keys_) {
    KnownKey& known = all.emplace_back(KnownKey{.id = key.kid(), .shown = {}, .key = key.digest()});
    JsonWriter json(known.shown);
    json.begin_object().key("kid").string(key.kid()).key("algorithm").plain(key.algorithm_name()).end_object();
  }
  sort_by_id(all);
  return all;
}

}  // namespace stele::api
