#pragma once
// Compiled schemas, those that were asked for last: there may be many more registered than fit into memory.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "api/schemas/compiled_schema.h"
#include "engine/base/ids.h"

namespace stele::api {

/// Thread-safe. A schema is known by the position of the event that registered it.
class SchemaCache {
 public:
  /// `bytes_max`: of what the schemas may take (CompiledSchema::memory_max()); the last one stays whatever that is.
  explicit SchemaCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Null if it is not there.
  [[nodiscard]] std::shared_ptr<const CompiledSchema> find(Position registered);
  void insert(Position registered, std::shared_ptr<const CompiledSchema> schema);

  struct Metrics {
    std::size_t schemas = 0;
    std::size_t bytes = 0;  ///< that they may take
  };
  [[nodiscard]] Metrics metrics() const;

 private:
  struct Entry {
    Position registered;
    std::shared_ptr<const CompiledSchema> schema;
  };

  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  ///< the last one asked for first
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace stele::api
