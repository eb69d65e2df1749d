#pragma once
// How the versions of a type's schema must go together.

#include <cstdint>
#include <optional>
#include <string_view>

namespace stele::api {

/// What a new version is compared with, as schema registries name it: what may still be read with which.
enum class SchemaCompatibility : std::uint8_t {
  None,
  Backward,
  BackwardTransitive,
  Forward,
  ForwardTransitive,
  Full,
  FullTransitive,
};

enum class SchemaPolicy : std::uint8_t {
  Lenient,  ///< an optional property may come and go
  Strict,
};

struct SchemaSettings {
  SchemaCompatibility compatibility = SchemaCompatibility::BackwardTransitive;  ///< a store replays from its beginning
  SchemaPolicy policy = SchemaPolicy::Lenient;
  bool operator==(const SchemaSettings&) const = default;
};

/// `NONE`, `BACKWARD`, `BACKWARD_TRANSITIVE` … Static storage.
[[nodiscard]] std::string_view name_of(SchemaCompatibility compatibility);
/// `lenient`, `strict`.
[[nodiscard]] std::string_view name_of(SchemaPolicy policy);
[[nodiscard]] std::optional<SchemaCompatibility> schema_compatibility_of(std::string_view name);
[[nodiscard]] std::optional<SchemaPolicy> schema_policy_of(std::string_view name);

}  // namespace stele::api
