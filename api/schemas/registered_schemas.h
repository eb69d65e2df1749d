#pragma once
// The schemas that are registered, as they stand at some place in the log.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/records/event_aliases.h"
#include "api/schemas/schema_settings.h"
#include "api/schemas/upcaster.h"
#include "engine/base/ids.h"

namespace stele::api {

/// One registration.
struct SchemaVersion {
  enum class State : std::uint8_t {
    Active,     ///< may be what events have that are sent without a version
    Inactive,   ///< only for events that name it
    Withdrawn,  ///< for none
  };

  std::uint32_t version = 1;  ///< 1, 2, 3 … of its event type
  State state = State::Active;
  Digest identity{};  ///< of the schema's text without white space
  Position position;  ///< of the event that registered it, which holds the text
  Timestamp time;
  /// The version before it whose data is its own after the upcaster, or as it is if that is null; 0 = there was none,
  /// so that what was stored before it is as it is.
  std::uint32_t from = 0;
  std::shared_ptr<const Upcaster> upcaster;
};

/// `active`, `inactive`, `withdrawn`. Static storage.
[[nodiscard]] std::string_view name_of(SchemaVersion::State state);

/// Those of one event type.
struct EventTypeSchemas {
  SchemaSettings settings;
  std::vector<SchemaVersion> versions;  ///< all there ever were; `version` - 1 is the place
  /// The next version, while it is held against what was stored before it; its position is that of the event that says
  /// so. What is stored behind that must satisfy it as well, or has no version that it concerns.
  std::optional<SchemaVersion> candidate;
  /// The highest version that events had which were there before any schema; events have others only while they are
  /// registered.
  std::uint32_t unchecked_version_max = 0;

  /// Null if there is none, or it is withdrawn.
  [[nodiscard]] const SchemaVersion* find(std::uint64_t version) const;
  /// Null if no version is active.
  [[nodiscard]] const SchemaVersion* newest_active() const;
  /// Null if every version is withdrawn.
  [[nodiscard]] const SchemaVersion* newest() const;
  /// The newest one up to `version` that is not withdrawn; null if there is none.
  [[nodiscard]] const SchemaVersion* newest_until(std::uint32_t version) const;
  /// Whether events of the type need a schema.
  [[nodiscard]] bool in_force() const { return newest() != nullptr; }
  /// The upcasters, in their order, from what was stored as `stored` to the version `wanted`, which is registered and
  /// newer. None if no way leads there. Versions that were withdrawn are on the way where a later one begins at them.
  [[nodiscard]] std::optional<std::vector<const Upcaster*>> way(std::uint32_t stored, std::uint32_t wanted) const;
};

struct RegisteredSchemas {
  /// Of the newest record of a `$schema` aggregate; 0 = there is none (Proposal::schema_change).
  Position change;
  std::map<std::string, std::shared_ptr<const EventTypeSchemas>, std::less<>> types;
  std::shared_ptr<const AliasTable> aliases = std::make_shared<const AliasTable>();
  bool any_second_version = false;  ///< of any type
  std::size_t upcaster_bytes = 0;   ///< of the texts of all upcasters, which are kept in memory

  /// Null if nothing was ever said of the type.
  [[nodiscard]] const EventTypeSchemas* find(std::string_view event_type) const;
};

}  // namespace stele::api
