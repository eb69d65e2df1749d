#pragma once
// What is stored already, held against a schema.

#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/records/event_upcasts.h"
#include "api/schemas/compiled_schema.h"
#include "api/schemas/work_budget.h"
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

/// Looks at the events of a type, the new ones too when it is asked again. One thread.
class SchemaHistory {
 public:
  static constexpr std::uint64_t kEventsMax = 100'000;
  static constexpr std::size_t kFailuresMax = 20;         ///< that are kept; all are counted
  static constexpr std::uint64_t kWorkMax = 300'000'000;  ///< of all validations together
  static constexpr std::chrono::seconds kUpcastTimeMax{60};

  /// Only events behind `after` whose version is `version`, if one is given.
  SchemaHistory(std::string event_type, std::optional<std::uint32_t> version, std::optional<Position> after = {},
                std::uint64_t work_max = kWorkMax)
      : event_type_(std::move(event_type)), version_(version), after_(after), work_(work_max) {}

  /// From now on what is stored in an older version than `version` is looked at in that one, and what was stored in a
  /// newer one is passed over.
  void upcast_to(std::uint32_t version, std::shared_ptr<const UpcastChains> chains) {
    upcast_to_ = version;
    chains_ = std::move(chains);
  }

  enum class Outcome : std::uint8_t {
    Whole,      ///< up to the end of the view
    TooMany,    ///< more than kEventsMax of them, whatever their version
    TooHard,    ///< to validate them takes more than the work there is
    Abandoned,  ///< `abandoned` said so
    Busy,       ///< upcasters cannot be run now
  };
  /// Those that it has not seen yet. Without a schema they are counted only. Redacted ones satisfy everything. May take
  /// some seconds.
  [[nodiscard]] Result<Outcome> look(const ReadView& view, const CompiledSchema* schema,
                                     const std::function<bool()>& abandoned);

  /// Events whose version is the one asked for, redacted ones too.
  [[nodiscard]] std::uint64_t checked() const { return checked_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] const std::vector<HistoryFailure>& failures() const { return failures_; }
  /// The first event whose version is the one asked for.
  [[nodiscard]] const std::optional<Position>& first() const { return first_; }
  /// Of all that it has looked at; 0 = none.
  [[nodiscard]] std::uint32_t version_max() const { return version_max_; }
  /// All events of the type up to here were looked at.
  [[nodiscard]] const std::optional<Position>& last() const { return after_; }

 private:
  /// Looks at what waits.
  [[nodiscard]] Outcome check_batch(const CompiledSchema& schema, const std::function<bool()>& abandoned);
  /// False if there is no work left.
  [[nodiscard]] bool check(const RecordHeader& header, std::string_view text, const CompiledSchema& schema);
  void fail(HistoryFailure failure);

  simdjson::dom::parser parser_;
  const std::string event_type_;
  const std::optional<std::uint32_t> version_;
  std::optional<Position> after_;
  WorkBudget work_;
  std::uint64_t seen_ = 0;
  std::uint64_t checked_ = 0;
  std::uint64_t failed_ = 0;
  std::vector<HistoryFailure> failures_;
  std::optional<Position> first_;
  std::uint32_t version_max_ = 0;
  std::uint32_t upcast_to_ = 0;
  std::shared_ptr<const UpcastChains> chains_;
  std::optional<std::chrono::steady_clock::time_point> upcasts_end_;
  std::vector<std::unique_ptr<Record>> batch_;  ///< kept for their memory; the first `waiting_` wait
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace stele::api
