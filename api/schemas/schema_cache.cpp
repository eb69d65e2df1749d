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

void SchemaCache::insert(Position registered, std::shared_ptr<const CompiledSchema> schema, std::size_t text_bytes) {
  const std::lock_guard lock(mutex_);
  if (places_.contains(registered.value())) return;
  entries_.push_front({registered, std::move(schema), text_bytes});
  places_.emplace(registered.value(), entries_.begin());
  text_bytes_ += text_bytes;
  while (text_bytes_ > text_bytes_max_ && entries_.size() > 1) {
    text_bytes_ -= entries_.back().text_bytes;
    places_.erase(entries_.back().registered.value());
    entries_.pop_back();
  }
}

}  // namespace stele::api
