#pragma once
// What turns the data of one version of a schema into that of the next.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "api/http/body_members.h"
#include "api/schemas/upcast_operations.h"
#include "engine/base/ids.h"

namespace stele::api {

/// Immutable; any thread.
struct Upcaster {
  static constexpr std::size_t kTextBytesMax = 256U << 10;  ///< of the operations, or of the source

  std::uint32_t from = 1;  ///< the version whose data it takes
  std::optional<UpcastOperations> operations;
  std::string source;  ///< of a script (UpcastScripts), if there are no operations
  std::string text;    ///< a JSON object: `from` and `operations` or `source`, in that order, minified
  Digest identity{};   ///< of the text
};

/// Takes the member `upcaster` of a registration, or of the event about it. Null if it is absent or faulty; what is
/// wrong with it is an error of `members`.
[[nodiscard]] std::shared_ptr<const Upcaster> take_upcaster(BodyMembers& members);

}  // namespace stele::api
