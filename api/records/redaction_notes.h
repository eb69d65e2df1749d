#pragma once
// What the log says about redactions, at hand for whoever shows a redacted event or keeps a state that was folded from
// events. One entry a redaction, not one an event: some 200 bytes each.

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/log/record.h"

namespace stele::api {

/// Thread-safe.
class RedactionNotes {
 public:
  /// The event that has asked for a redaction.
  struct Note {
    Position position;
    Timestamp time;
  };
  /// Of the record at this position, whose aggregate that is.
  void requested_of_record(Position record, std::string_view aggregate_id, Note note);
  /// Of all records of the aggregate up to `through`.
  void requested_of_aggregate(std::string_view aggregate_id, Position through, Note note);
  /// One that was asked for, of this aggregate or of a record of it, is complete.
  void completed(std::string_view aggregate_id);

  /// The newest redaction that the record was asked to be in.
  [[nodiscard]] std::optional<Note> of(const RecordHeader& header) const;

  /// How an aggregate stands. Two equal ones, neither under way: nothing of it was redacted in between.
  struct Standing {
    std::uint64_t events = 0;     ///< that tell of redactions of the aggregate, requests and completions
    std::uint64_t under_way = 0;  ///< redactions
    bool operator==(const Standing&) const = default;
  };
  [[nodiscard]] Standing standing(std::string_view aggregate_id) const;
  /// Calls `keep`, which must be quick, unless a redaction of the aggregate is under way or one was since `since`; none
  /// begins meanwhile. So nothing is kept that was made of what is to be gone. False: it was not called.
  bool keep_unless_changed(std::string_view aggregate_id, const Standing& since,
                           const std::function<void()>& keep) const;

 private:
  struct Aggregate {
    Standing standing;
    std::map<Position, Note> through;  ///< redactions of all of it, by how far
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  [[nodiscard]] Aggregate& begin(std::string_view aggregate_id);
  [[nodiscard]] const Aggregate* find(std::string_view aggregate_id) const;

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Aggregate, Hash, std::equal_to<>> aggregates_;
  std::unordered_map<std::uint64_t, Note> records_;  ///< by position
};

}  // namespace stele::api
