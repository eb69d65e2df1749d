#pragma once
// What the log keeps of schemas: events of `$schema/<event type>` aggregates.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/schemas/registered_schemas.h"
#include "api/schemas/schema_history.h"
#include "engine/base/result.h"
#include "engine/log/record.h"
#include "engine/store/read_view.h"

namespace stele::api {

inline constexpr std::string_view kSchemaPrefix = "$schema/";
inline constexpr std::string_view kSchemaRegistered = "$SchemaRegistered";
inline constexpr std::string_view kSchemaActivated = "$SchemaActivated";
inline constexpr std::string_view kSchemaWithdrawn = "$SchemaWithdrawn";
inline constexpr std::string_view kSchemaConfigured = "$SchemaConfigured";
// Here as well, so that one number says under which schemas and aliases something was decided.
inline constexpr std::string_view kEventTypeAliased = "$EventTypeAliased";
inline constexpr std::string_view kEventTypeUnaliased = "$EventTypeUnaliased";
/// A version that is held against what is stored; a `$SchemaRegistered` of that version ends it, or what drops it.
inline constexpr std::string_view kSchemaCandidate = "$SchemaCandidate";
inline constexpr std::string_view kSchemaCandidateDropped = "$SchemaCandidateDropped";

/// The data of a `$SchemaRegistered` or `$SchemaCandidate`; `schema` is its text, `upcaster` may be null.
[[nodiscard]] std::string registered_data(std::string_view event_type, std::uint32_t version, bool active,
                                          std::uint32_t unchecked_version_max, std::string_view schema,
                                          const Upcaster* upcaster = nullptr);
/// Of a `$SchemaActivated` or `$SchemaWithdrawn`.
[[nodiscard]] std::string version_data(std::string_view event_type, std::uint32_t version);
/// Of a `$SchemaConfigured`.
[[nodiscard]] std::string configured_data(std::string_view event_type, const SchemaSettings& settings);

/// Of a `$EventTypeAliased`, or without `to` of a `$EventTypeUnaliased`.
[[nodiscard]] std::string alias_data(std::string_view event_type, const std::optional<std::string>& to);
/// Of a `$SchemaCandidateDropped`: why (a word), and what was found, if anything was looked at.
[[nodiscard]] std::string dropped_data(std::string_view event_type, std::uint32_t version, std::string_view reason,
                                       const SchemaHistory* found);
/// What such an event tells: `"state":<the reason>,"checked":…,"failed":…,"failures":…`, or the first alone. Corrupt if
/// it is none.
[[nodiscard]] Result<std::string> dropped_members(const Record& record);

/// What makes two texts the same schema.
[[nodiscard]] Digest schema_identity(std::string_view schema);

/// Changes `to` as the event says. False if it cannot be understood: then nothing is changed.
bool apply_schema_event(const Record& record, RegisteredSchemas& to);
/// Applies all that the view has behind `to.change`. Gives how many events could not be understood.
[[nodiscard]] Result<std::uint64_t> apply_schema_events(const ReadView& view, RegisteredSchemas& to);
/// The version that such an event is about.
[[nodiscard]] Result<std::uint32_t> registered_version(const Record& record);
/// The text of the schema that a `$SchemaRegistered` or `$SchemaCandidate` holds. Corrupt if it is none.
[[nodiscard]] Result<std::string> registered_text(const Record& record);

}  // namespace stele::api
