#include "api/records/shown_versions.h"

#include <algorithm>

#include "api/records/event_notes.h"

namespace stele::api {

ShownVersions shown_versions(const EventNotes* notes, SchemaVersionChoice choice) {
  if (notes == nullptr || notes->upcasts == nullptr || choice.kind == SchemaVersionChoice::Kind::Stored) {
    return {choice, nullptr};
  }
  return {choice, notes->upcasts->chains()};
}

std::vector<Upcast> upcast_events(std::span<const Record* const> records, const ShownVersions& versions,
                                  const UpcastTerms& terms) {
  std::vector<Upcast> upcasts;
  if (versions.chains == nullptr) return upcasts;
  if (std::none_of(records.begin(), records.end(), [&](const Record* record) { return versions.concerns(*record); })) {
    return upcasts;
  }
  upcasts.resize(records.size());
  versions.chains->upcast(records, versions.choice, terms, upcasts);
  return upcasts;
}

}  // namespace stele::api
