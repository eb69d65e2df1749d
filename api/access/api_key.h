#pragma once
// API keys: secrets of 256 random bits that stand for a principal. Of the secret only a SHA-256 is kept; with so many
// random bits there is nothing to guess, so that a slow hash would add nothing.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/access/key_store.h"
#include "api/access/known_key.h"
#include "api/access/principal.h"
#include "engine/base/ids.h"
#include "engine/base/result.h"

namespace stele::api {

/// All secrets begin so.
inline constexpr std::string_view kApiKeyPrefix = "stele_";

struct ApiKey {
  std::string id;  ///< names the key in lists; no secret
  Digest hash{};   ///< SHA-256 of the secret
  Principal principal;
  Timestamp created;
  std::optional<Timestamp> expires;
  std::optional<Timestamp> revoked;
};

/// A new secret: the prefix and 256 random bits as base64url.
[[nodiscard]] std::string make_api_secret();
[[nodiscard]] std::string make_api_key_id();
[[nodiscard]] Digest hash_of_secret(std::string_view secret);

/// The file in the key store that holds all keys.
inline constexpr const char* kApiKeysFile = "api-keys.json";
inline constexpr std::size_t kApiKeysMax = 10'000;

/// Empty if there is no file yet. Corrupt if it is not what write_api_keys() writes.
[[nodiscard]] Result<std::vector<ApiKey>> read_api_keys(const KeyStore& store);
[[nodiscard]] Status write_api_keys(const KeyStore& store, const std::vector<ApiKey>& keys);

/// All keys by the hash of their secret. Immutable.
class ApiKeyTable {
 public:
  struct Entry {
    std::shared_ptr<const Principal> principal;
    std::optional<Timestamp> expires;
    bool revoked = false;

    [[nodiscard]] bool expired(Timestamp now) const { return expires && *expires <= now; }
  };

  ApiKeyTable() = default;
  explicit ApiKeyTable(const std::vector<ApiKey>& keys);

  [[nodiscard]] const Entry* find(std::string_view secret) const;
  /// Whether any key is neither revoked nor expired.
  [[nodiscard]] bool has_usable(Timestamp now) const;
  /// Of the keys of that name that are neither revoked nor expired; empty if there is none.
  [[nodiscard]] std::vector<Role> roles_of(std::string_view name, Timestamp now) const;
  /// All of them, by id.
  [[nodiscard]] const std::vector<KnownKey>& known() const { return known_; }

 private:
  struct First8 {
    std::size_t operator()(const Digest& digest) const;
  };
  struct InConstantTime {
    bool operator()(const Digest& a, const Digest& b) const;
  };
  struct Named {
    Role role;
    std::optional<Timestamp> expires;
  };
  std::unordered_map<Digest, Entry, First8, InConstantTime> entries_;
  std::multimap<std::string, Named, std::less<>> by_name_;  ///< those that are not revoked
  std::vector<KnownKey> known_;
};

}  // namespace stele::api
