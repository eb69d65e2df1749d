#pragma once
// What the log says about events beside their records: for whoever shows them.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/records/event_aliases.h"
#include "api/records/event_upcasts.h"
#include "api/records/redaction_notes.h"

namespace stele::api {

/// Thread-safe, as its parts are. Where there is none (null), nothing is redacted, no type has another name, and all
/// events are in the version they were stored in.
struct EventNotes {
  RedactionNotes redactions;
  EventAliases aliases;
  const EventUpcasts* upcasts = nullptr;  ///< null: none
};

/// The name that events of a type are shown under. Null `notes`: the one that they are stored under.
[[nodiscard]] inline std::string shown_event_type(const EventNotes* notes, std::string_view stored_name) {
  auto alias = notes == nullptr ? std::nullopt : notes->aliases.shown_name(stored_name);
  return alias ? *std::move(alias) : std::string(stored_name);
}

}  // namespace stele::api
