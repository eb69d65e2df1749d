#pragma once
// The schemas of event types: what the log says of them, and those that are in use, compiled. They are events of
// `$schema/<event type>` aggregates, so a server that restarts has them all.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "api/records/event_upcasts.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/registered_schemas.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_cache.h"
#include "api/schemas/schema_counts.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe. Changes nothing: schema_registrar.h does.
class SchemaRegistry final : public EventUpcasts {
 public:
  static constexpr std::size_t kTypesMax = 10'000;
  static constexpr std::uint32_t kVersionsMax = 1'000;  ///< of a type
  static constexpr std::size_t kAliasesMax = 1'000;
  static constexpr std::size_t kAliasesOfNameMax = 16;          ///< which a filter by that name selects as well
  static constexpr std::size_t kCompiledBytesMax = 256U << 20;  ///< what may be taken by what is kept compiled
  static constexpr std::size_t kUpcasterBytesMax = 64U << 20;   ///< of all upcasters

  /// Reads what is there. Throws if it cannot be read. The store must outlive it, and `aliases`, which is told of them.
  explicit SchemaRegistry(Store& store, EventAliases* aliases = nullptr, const UpcastRuntime& runtime = {});

  /// As far as this process has read. What was handed out stays as it is. Cheap: asked for each request.
  [[nodiscard]] std::shared_ptr<const RegisteredSchemas> now() const;
  [[nodiscard]] std::shared_ptr<const UpcastChains> chains() const override;
  [[nodiscard]] const UpcastRuntime& runtime() const { return runtime_; }
  /// Reads what was changed since, unless what was changed at `wanted` is known. May wait for the disk.
  [[nodiscard]] Status catch_up(Position wanted);

  /// Null if it is not in memory.
  [[nodiscard]] std::shared_ptr<const CompiledSchema> find_compiled(const SchemaVersion& version);
  /// Reads and compiles it if it must. Corrupt: what is registered is no schema. May wait for the disk.
  [[nodiscard]] Result<std::shared_ptr<const CompiledSchema>> compiled(const SchemaVersion& version);
  /// As it was registered. May wait for the disk.
  [[nodiscard]] Result<std::string> text_of(const SchemaVersion& version) const;

  /// Of those who validate.
  [[nodiscard]] ValidationCounts& validations() { return validations_; }
  [[nodiscard]] const ValidationCounts& validations() const { return validations_; }
  [[nodiscard]] const UpcastCounts& upcasts() const { return upcasts_; }
  [[nodiscard]] SchemaCache::Metrics cached() const { return cache_.metrics(); }
  /// Own events that could not be understood.
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_.load(std::memory_order_relaxed); }

 private:
  /// Reads what follows. `reading_` must be held.
  [[nodiscard]] Status read_on();

  Store& store_;
  EventAliases* const aliases_;  ///< or null
  ValidationCounts validations_;
  UpcastCounts upcasts_;
  const UpcastRuntime runtime_;
  SchemaCache cache_{kCompiledBytesMax};
  std::atomic<std::uint64_t> unreadable_{0};
  std::mutex reading_;  ///< held while the log is read
  mutable std::mutex mutex_;
  std::shared_ptr<const RegisteredSchemas> now_ = std::make_shared<const RegisteredSchemas>();
  std::atomic<bool> has_chains_{false};  ///< whether there are any: asked for each page that is read
  std::shared_ptr<const UpcastChains> chains_;
};

}  // namespace stele::api
