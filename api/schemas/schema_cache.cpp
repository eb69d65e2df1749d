#include "api/schemas/schema_cache.h"

#include <utility>

namespace stele::api {

std::shared_ptr<const CompiledSchema> SchemaCache::find(Position registered) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(registered.value());
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->schema;
}

void SchemaCache::insert(Position registered, std::shared_ptr<const CompiledSchema> schema) {
  const std::lock_guard lock(mutex_);
  if (places_.contains(registered.value())) return;
  bytes_ += schema->memory_max();
  entries_.push_front({registered, std::move(schema)});
  places_.emplace(registered.value(), entries_.begin());
  while (bytes_ > bytes_max_ && entries_.size() > 1) {
    bytes_ -= entries_.back().schema->memory_max();
    places_.erase(entries_.back().registered.value());
    entries_.pop_back();
  }
}

SchemaCache::Metrics SchemaCache::metrics() const {
  const std::lock_guard lock(mutex_);
  return {entries_.size(), bytes_};
}

}  // namespace stele::api
