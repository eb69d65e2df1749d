#pragma once
// In which versions of their schemas events are shown to one reader.

#include <memory>
#include <span>
#include <vector>

#include "api/records/event_upcasts.h"

namespace stele::api {

struct EventNotes;

/// What a reader wants, and the upcasters of one moment. Any thread.
struct ShownVersions {
  SchemaVersionChoice choice{};
  std::shared_ptr<const UpcastChains> chains{};  ///< null: every event is shown as it is stored

  [[nodiscard]] bool concerns(const Record& record) const {
    return chains != nullptr && chains->concerns(record, choice);
  }
  /// Whether upcast() would wait for a script: not on an I/O thread.
  [[nodiscard]] bool needs_worker(const Record& record) const {
    return chains != nullptr && chains->needs_worker(record, choice);
  }
};

/// By the upcasters of now. Null `notes`: there are none. Cheap; once for a page or a piece of a stream.
[[nodiscard]] ShownVersions shown_versions(const EventNotes* notes, SchemaVersionChoice choice = {});

/// One for each record, in their order; empty if none of them is shown other than as it is stored.
[[nodiscard]] std::vector<Upcast> upcast_events(std::span<const Record* const> records, const ShownVersions& versions,
                                                const UpcastTerms& terms = {});

}  // namespace stele::api
