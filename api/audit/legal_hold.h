#pragma once
// A legal hold: what is under it is not redacted, whatever else says so.

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "engine/log/record.h"

namespace stele::api {

inline constexpr std::size_t kHoldBodyBytesMax = 64U << 10;
inline constexpr std::size_t kHoldValuesMax = 1'000;  ///< in each of its lists

/// What a hold keeps: records that meet every condition that is there, a list by any of its members. One at least is
/// there.
struct HoldScope {
  std::vector<std::string> aggregate_ids;
  std::vector<std::string> aggregate_types;
  std::vector<std::string> user_ids;  ///< of the user or of the principal
  std::vector<std::string> event_types;
  std::optional<Timestamp> from;  ///< inclusive
  std::optional<Timestamp> to;    ///< exclusive
  std::string reason;             ///< 1..1,000 characters
  bool operator==(const HoldScope&) const = default;

  /// Whether it may keep records of this aggregate. A state that a client has stored counts as of the aggregate it is
  /// a state of.
  [[nodiscard]] bool concerns(std::string_view aggregate_id, const std::optional<std::string>& aggregate_type) const;
  /// Whether it keeps a record of an aggregate that it concerns.
  [[nodiscard]] bool keeps(const RecordHeader& header) const;
};

struct LegalHold {
  std::string name;
  HoldScope scope;
  Position position;  ///< of the event that has placed it as it is
  Timestamp placed;
  std::string placed_by;  ///< empty: authentication was off
};

/// 1 to 128 letters, digits, '.', '_' and '-'.
[[nodiscard]] bool is_hold_name(std::string_view name);

[[nodiscard]] std::variant<HoldScope, Problem> parse_hold_request(std::string_view body);

void append_scope(JsonWriter& json, const HoldScope& scope);
[[nodiscard]] std::string to_json(const LegalHold& hold);

/// As the log keeps it; none if it cannot be understood.
[[nodiscard]] std::optional<LegalHold> parse_hold_event(const Record& record);

}  // namespace stele::api
