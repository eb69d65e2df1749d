#include "api/schemas/schema_registry.h"

#include <stdexcept>
#include <utility>
#include <variant>

#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_event.h"

namespace stele::api {

SchemaRegistry::SchemaRegistry(Store& store, EventAliases* aliases, const UpcastRuntime& runtime)
    : store_(store), aliases_(aliases), runtime_{runtime.host, runtime.call_time, &upcasts_} {
  const std::lock_guard reading(reading_);
  if (const Status read = read_on(); !read) {
    throw std::runtime_error("cannot read the store's own events: " + read.error().describe());
  }
}

std::shared_ptr<const RegisteredSchemas> SchemaRegistry::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::shared_ptr<const UpcastChains> SchemaRegistry::chains() const {
  if (!has_chains_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(mutex_);
  return chains_;
}

Status SchemaRegistry::catch_up(Position wanted) {
  if (now()->change >= wanted) return {};
  const std::lock_guard reading(reading_);
  // Of all that wait for the same change the first one reads it.
  if (now()->change >= wanted) return {};
  return read_on();
}

Status SchemaRegistry::read_on() {
  const auto known = now();
  auto next = std::make_shared<RegisteredSchemas>(*known);
  STELE_ASSIGN(const std::uint64_t unreadable, apply_schema_events(*store_.view(), *next));
  if (next->change == known->change) return {};
  unreadable_.fetch_add(unreadable, std::memory_order_relaxed);
  if (aliases_ != nullptr && next->aliases != known->aliases) aliases_->change(*next->aliases);
  std::shared_ptr<const UpcastChains> chains;
  if (next->any_second_version) chains = std::make_shared<RegisteredUpcasts>(next, runtime_);
  const std::lock_guard lock(mutex_);
  now_ = std::move(next);
  chains_ = std::move(chains);
  has_chains_.store(chains_ != nullptr, std::memory_order_release);
  return {};
}

std::shared_ptr<const CompiledSchema> SchemaRegistry::find_compiled(const SchemaVersion& version) {
  return cache_.find(version.position);
}

Result<std::shared_ptr<const CompiledSchema>> SchemaRegistry::compiled(const SchemaVersion& version) {
  if (auto known = cache_.find(version.position)) return known;
  STELE_ASSIGN(const std::string text, text_of(version));
  auto compiled = compile_schema(text);
  if (const auto* const error = std::get_if<SchemaError>(&compiled)) {
    return Error{.kind = ErrorKind::Corrupt,
                 .message = "the schema registered at position " + std::to_string(version.position.value()) +
                            " is none: " + error->pointer + ": " + error->detail};
  }
  auto schema = std::get<std::shared_ptr<const CompiledSchema>>(std::move(compiled));
  cache_.insert(version.position, schema);
  return schema;
}

Result<std::string> SchemaRegistry::text_of(const SchemaVersion& version) const {
  Record record;
  STELE_TRY(store_.view()->read(version.position, record));
  return registered_text(record);
}

}  // namespace stele::api
