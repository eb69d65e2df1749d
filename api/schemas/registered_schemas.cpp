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

const SchemaVersion* EventTypeSchemas::newest() const {
  return newest_until(static_cast<std::uint32_t>(versions.size()));
}

const SchemaVersion* EventTypeSchemas::newest_until(std::uint32_t version) const {
  for (std::size_t number = std::min<std::size_t>(version, versions.size()); number > 0; --number) {
    if (versions[number - 1].state != SchemaVersion::State::Withdrawn) return &versions[number - 1];
  }
  return nullptr;
}

std::optional<std::vector<const Upcaster*>> EventTypeSchemas::way(std::uint32_t stored, std::uint32_t wanted) const {
  std::vector<const Upcaster*> upcasters;
  for (std::uint32_t at = wanted; at > stored;) {
    const SchemaVersion& version = versions[at - 1];
    if (version.upcaster != nullptr) upcasters.push_back(version.upcaster.get());
    if (version.from == 0) break;
    if (version.from < stored) return std::nullopt;
    at = version.from;
  }
  std::reverse(upcasters.begin(), upcasters.end());
  return upcasters;
}

const EventTypeSchemas* RegisteredSchemas::find(std::string_view event_type) const {
  const auto found = types.find(event_type);
  return found == types.end() ? nullptr : found->second.get();
}

}  // namespace stele::api
