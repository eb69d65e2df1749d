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
  /// `text_bytes_max`: of the texts that the schemas were compiled from; the last one stays whatever it has.
  explicit SchemaCache(std::size_t text_bytes_max) : text_bytes_max_(text_bytes_max) {}

  /// Null if it is not there.
  [[nodiscard]] std::shared_ptr<const CompiledSchema> find(Position registered);
  void insert(Position registered, std::shared_ptr<const CompiledSchema> schema, std::size_t text_bytes);

 private:
  struct Entry {
    Position registered;
    std::shared_ptr<const CompiledSchema> schema;
    std::size_t text_bytes;
  };

  const std::size_t text_bytes_max_;
  std::mutex mutex_;
  std::list<Entry> entries_;  ///< the last one asked for first
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places_;
  std::size_t text_bytes_ = 0;
};

}  // namespace stele::api
