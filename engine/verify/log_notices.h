#pragma once
// What the log says of who may sign it and of what was taken out of it. The engine gives the records; whoever knows
// what is in them answers.

#include <cstdint>
#include <vector>

#include "engine/audit/note_key.h"
#include "engine/log/record.h"

namespace stele {

/// A record some of whose members are gone.
struct RedactedRecord {
  Position position;
  std::uint64_t aggregate = 0;  ///< keyed_hash() of its id
  std::uint8_t members = 0;     ///< those that are gone: bit 0 data, 1 metadata, 2 private fields
};

class LogNotices {
 public:
  virtual ~LogNotices() = default;
  /// The genesis record and the events of `$key/…` and `$redaction/…`, in the order of the log. One thread.
  virtual void take(const Record& record) = 0;
  /// The keys that may sign a tree of `size` leaves, once all was taken; any thread.
  [[nodiscard]] virtual std::vector<NoteVerifier> keys_at(std::uint64_t size) const = 0;
  /// False if no key is known at all, so that nothing can be said of signatures.
  [[nodiscard]] virtual bool has_keys() const = 0;
  /// Whether the log says who has taken these members out, once all was taken.
  [[nodiscard]] virtual bool explains(const RedactedRecord& record) const = 0;
};

}  // namespace stele
