#pragma once
// What is stored already, held against a schema.

#include <simdjson.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json/json_writer.h"
#include "api/records/event_upcasts.h"
#include "api/schemas/compiled_schema.h"
#include "engine/base/result.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// An event that does not satisfy the schema, by the first thing that is wrong with it.
struct HistoryFailure {
  Position position;
  Uuid event_id;
  std::string pointer;  ///< in its data
  std::string detail;
};

/// Looks at the events of a type, piece by piece, the new ones too when it is asked again. One thread at a time.
class SchemaHistory {
 public:
  static constexpr std::size_t kFailuresMax = 100;  ///< that are kept; all are counted

  struct Wanted {
    std::optional<std::uint32_t> version;  ///< only events of this one are held against the schema; none = of all
    std::optional<Position> after;         ///< only events behind it
  };
  /// Without a schema (null) they are counted only.
  SchemaHistory(std::string event_type, std::shared_ptr<const CompiledSchema> schema, Wanted wanted)
      : event_type_(std::move(event_type)),
        schema_(std::move(schema)),
        version_(wanted.version),
        after_(wanted.after) {}
  SchemaHistory(std::string event_type, std::shared_ptr<const CompiledSchema> schema)
      : SchemaHistory(std::move(event_type), std::move(schema), Wanted{}) {}

  /// From now on what is stored in an older version than `version` is looked at in that one, and what was stored in a
  /// newer one is passed over.
  void upcast_to(std::uint32_t version, std::shared_ptr<const UpcastChains> chains) {
    upcast_to_ = version;
    chains_ = std::move(chains);
  }

  enum class Outcome : std::uint8_t {
    Whole,  ///< it has seen all up to the end of the view
    More,
    Busy,  ///< upcasters cannot be run now: it has gone no further
  };
  /// Looks at some of those that it has not seen yet: for a tenth of a second or so, some seconds if upcasters are
  /// slow, less if it is `abandoned` (may be empty). Redacted ones satisfy everything. May wait for the disk.
  [[nodiscard]] Result<Outcome> look(const ReadView& view, const std::function<bool()>& abandoned);

  /// Events of the type, of whatever version.
  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  /// Those that were wanted, redacted ones too.
  [[nodiscard]] std::uint64_t checked() const { return checked_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] const std::vector<HistoryFailure>& failures() const { return failures_; }
  /// The first event that was wanted.
  [[nodiscard]] const std::optional<Position>& first() const { return first_; }
  /// Of all that it has looked at; 0 = none.
  [[nodiscard]] std::uint32_t version_max() const { return version_max_; }
  /// All events of the type up to here were looked at.
  [[nodiscard]] const std::optional<Position>& last() const { return after_; }

 private:
  static constexpr std::size_t kBatchEvents = 128;  ///< that are upcast at once

  /// Looks at what waits: Whole if that was all of it, More if it has taken more work than up to `work_end`.
  [[nodiscard]] Outcome check_batch(std::uint64_t work_end, const std::function<bool()>& abandoned);
  void check(const Record& record, Upcast& upcast);
  /// Why it does not satisfy the schema, if it does not.
  [[nodiscard]] std::optional<HistoryFailure> failure_of(const RecordHeader& header, std::string_view data);

  simdjson::dom::parser parser_;
  const std::string event_type_;
  const std::shared_ptr<const CompiledSchema> schema_;
  const std::optional<std::uint32_t> version_;
  std::optional<Position> after_;
  std::uint32_t upcast_to_ = 0;
  std::shared_ptr<const UpcastChains> chains_;
  std::vector<std::unique_ptr<Record>> batch_;  ///< kept for their memory; the first `waiting_` wait
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t batch_events_max_ = kBatchEvents;  ///< fewer at once where upcasters take long
  std::uint64_t work_ = 0;                       ///< that validation has taken
  std::uint64_t seen_ = 0;
  std::uint64_t checked_ = 0;
  std::uint64_t failed_ = 0;
  std::vector<HistoryFailure> failures_;
  std::optional<Position> first_;
  std::uint32_t version_max_ = 0;
};

/// `[{"position","eventId","pointer","detail"}]`
void append_failures(JsonWriter& json, const SchemaHistory& history);
/// The members `checked`, `failed` and `failures` of an object.
void append_result(JsonWriter& json, const SchemaHistory& history);

}  // namespace stele::api
