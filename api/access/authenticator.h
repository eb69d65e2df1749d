#pragma once
// From the Authorization field of a request to the caller.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/access/api_key.h"
#include "api/access/auth_throttle.h"
#include "api/access/jwt_cache.h"
#include "api/access/known_key.h"
#include "api/access/principal.h"
#include "api/access/watched_file.h"
#include "api/http/http.h"
#include "api/http/problem.h"
#include "engine/base/clock.h"

namespace stele::api {

/// How long a server may count on its last look at the key files. Whoever changes them waits so long before saying that
/// it is done.
inline constexpr std::chrono::milliseconds kLookInterval{10};

struct AuthenticatorOptions {
  std::string jwks_file;  ///< empty: no JWTs
  JwtPolicy jwt;
  std::chrono::nanoseconds look_interval{0};  ///< how long a look at the files counts
  FileSystem* files = nullptr;                ///< none = posix_file_system(); must outlive the authenticator
  const Clock* clock = nullptr;               ///< none = system_clock(); must outlive the authenticator
  /// Gets a line for people when a file cannot be read again; never a secret.
  std::function<void(const std::string&)> report = [](const std::string&) {};
};

/// Checks bearer credentials: API keys and JWTs. Both files are looked at for every check, or once an interval, so that
/// a revoked key is refused without a restart. Thread-safe. A check costs one hash and one look-up; of a JWT the first
/// also a signature check.
class Authenticator {
 public:
  /// An error that names the file if one of them cannot be used at the start.
  [[nodiscard]] static Result<std::shared_ptr<Authenticator>> open(KeyStore keys, AuthenticatorOptions options);

  /// The caller, or 401 (no credentials, or bad ones) or 429 (bad ones too often from one address; a JWT that is not
  /// known from before is then not even looked at, because to tell a bad one costs a signature check).
  [[nodiscard]] std::variant<Caller, Problem> authenticate(const Request& request);

  /// The caller that authenticate() would give, if it may do this; else null. Counts no failure.
  [[nodiscard]] std::shared_ptr<const Principal> granted(const Request& request, Permission needed);
  /// The same for what the field Authorization of an earlier request held, from that address: for answers that outlive
  /// their request.
  [[nodiscard]] std::shared_ptr<const Principal> granted(std::string_view authorization, std::string_view address,
                                                         Permission needed);

  /// Roles of the API keys of that name that are neither revoked nor expired; empty: there is no such key any more. As
  /// cheap as a check, and looks at the file as one does.
  [[nodiscard]] std::vector<Role> roles_of_keys(std::string_view name);

  [[nodiscard]] const JwtCache& verified_jwts() const { return verified_; }
  /// Looks at the files as a check does.
  void look();
  /// `told` gets what there is, and from then on each change of the files, with nothing of a secret, and when one
  /// cannot be used; a change is in force only once it was told. Empty: nobody; on return whoever was told before is
  /// not any more.
  void tell(KeyFileTold told);

  /// What the operator should know: files that cannot be read again.
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// Whether there is any key that is neither revoked nor expired, or a key in the JWKS.
  [[nodiscard]] bool has_credentials();

 private:
  Authenticator(KeyStore keys, AuthenticatorOptions options);

  struct Wait {
    std::int64_t seconds;
  };
  /// The caller, or what is wrong with the credentials, or that they were not looked at.
  using Outcome = std::variant<std::shared_ptr<const Principal>, std::string_view, Wait>;
  [[nodiscard]] Outcome check(std::string_view credentials, std::string_view address);
  [[nodiscard]] Outcome check_api_key(std::string_view secret);
  [[nodiscard]] Outcome check_jwt(std::string_view token, std::string_view address);

  const AuthenticatorOptions options_;
  const Clock& clock_;
  const KeyStore key_store_;
  WatchedFile<ApiKeyTable> api_keys_;
  WatchedFile<JwkSet> jwks_;
  JwtCache verified_;
  AuthThrottle failures_;
};

}  // namespace stele::api
