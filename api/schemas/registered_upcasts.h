#pragma once
// Events in other versions of their schema, by the upcasters that are registered.

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "api/records/event_upcasts.h"
#include "api/records/upcast_scripts.h"
#include "api/schemas/registered_schemas.h"
#include "api/schemas/schema_counts.h"

namespace stele::api {

/// What runs upcasters that are scripts, and counts all.
struct UpcastRuntime {
  UpcastScriptHost* host = nullptr;  ///< null: they cannot be run
  std::chrono::milliseconds call_time{100};
  UpcastCounts* counts = nullptr;  ///< or null
};

/// By one state of what is registered, or of what would be. What runs scripts must outlive it.
class RegisteredUpcasts final : public UpcastChains {
 public:
  /// Of all events of one batch together; what would be beyond it fails.
  static constexpr std::size_t kBatchBytesMax = 64U << 20;

  RegisteredUpcasts(std::shared_ptr<const RegisteredSchemas> schemas, const UpcastRuntime& runtime)
      : schemas_(std::move(schemas)), runtime_(runtime) {}

  [[nodiscard]] bool concerns(const Record& record, SchemaVersionChoice choice) const override;
  [[nodiscard]] bool needs_worker(const Record& record, SchemaVersionChoice choice) const override;
  void upcast(std::span<const Record* const> records, SchemaVersionChoice choice, const UpcastTerms& terms,
              std::span<Upcast> results) const override;
  [[nodiscard]] std::uint32_t newest_version(std::string_view event_type) const override;
  [[nodiscard]] std::uint32_t newest_version() const override;
  void append_identity(std::string_view event_type, bool numbers, std::string& to) const override;
  void append_identity(bool numbers, std::string& to) const override;

 private:
  /// The schemas of its type, and the version it is to have; null: as it is stored.
  struct Aim {
    const EventTypeSchemas* schemas = nullptr;
    std::uint32_t version = 0;
  };
  [[nodiscard]] Aim aim_of(const Record& record, SchemaVersionChoice choice) const;
  void append_type(const EventTypeSchemas& schemas, std::string_view event_type, bool numbers, std::string& to) const;

  const std::shared_ptr<const RegisteredSchemas> schemas_;
  const UpcastRuntime runtime_;
};

/// The versions of one type as they would be with one more behind the newest that is not withdrawn. `upcaster` leads to
/// it; null: what has that version is as it is.
[[nodiscard]] std::shared_ptr<const UpcastChains> chains_with(const std::string& event_type,
                                                              const EventTypeSchemas& known,
                                                              std::shared_ptr<const Upcaster> upcaster,
                                                              const UpcastRuntime& runtime);

}  // namespace stele::api
