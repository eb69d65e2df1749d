#pragma once
// Keys that callers are known by, as the audit trail may tell of them: which there are, and how one list became
// another.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/ids.h"

namespace stele::api {

struct KnownKey {
  std::string id;     ///< of an API key; the kid of a key that signs JWTs
  std::string shown;  ///< a JSON object: all but what is secret
  Digest key{};       ///< of the secret or the public key: tells whether it is another one; never shown
};

void sort_by_id(std::vector<KnownKey>& keys);

/// Objects `{"keys":[…]}`: more than one if there is much to tell.
[[nodiscard]] std::vector<std::string> details_of_keys(const std::vector<KnownKey>& keys);
/// Objects with `added`, `removed` and `changed` (of each `before` and `after`), the same way; none if nothing differs.
/// Both lists by id.
[[nodiscard]] std::vector<std::string> details_of_change(const std::vector<KnownKey>& before,
                                                         const std::vector<KnownKey>& after);

/// What has become of a file of keys.
struct KeyFileNews {
  enum class Kind : std::uint8_t {
    Read,      ///< what there is
    Changed,   ///< or it can be used again
    Unusable,  ///< what it said before stays in force
  };
  Kind kind = Kind::Read;
  std::string_view file;  ///< `api-keys` or `jwks`
  std::string details;    ///< a JSON object
};
/// Any thread; it must not ask for credentials.
using KeyFileTold = std::function<void(KeyFileNews)>;

}  // namespace stele::api
