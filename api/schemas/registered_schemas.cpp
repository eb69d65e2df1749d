#include "api/schemas/registered_schemas.h"

#include <algorithm>

namespace stele::api {

std::string_view name_of(SchemaVersion::State state) {
  switch (state) {
    case SchemaVersion::State::Active:
      return "active";
    case SchemaVersion::State::Inactive:
      return "inactive";
    case SchemaVersion::State::Withdrawn:
      break;
  }
  return "withdrawn";
}

const SchemaVersion* EventTypeSchemas::find(std::uint64_t version) const {
  if (version == 0 || version > versions.size()) return nullptr;
  const SchemaVersion& found = versions[version - 1];
  return found.state == SchemaVersion::State::Withdrawn ? nullptr : &found;
}

const SchemaVersion* EventTypeSchemas::newest_active() const {
  const auto newest = std::find_if(versions.rbegin(), versions.rend(), [](const SchemaVersion& each) {
    return each.state == SchemaVersion::State::Active;
  });
  return newest == versions.rend() ? nullptr : &*newest;
}

bool EventTypeSchemas::in_force() const {
  return std::any_of(versions.begin(), versions.end(),
                     [](const SchemaVersion& each) { return each.state != SchemaVersion::State::Withdrawn; });
}

const EventTypeSchemas* RegisteredSchemas::find(std::string_view event_type) const {
  const auto found = types.find(event_type);
  return found == types.end() ? nullptr : found->second.get();
}

}  // namespace stele::api
