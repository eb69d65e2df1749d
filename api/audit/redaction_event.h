#pragma once
// What the log keeps of redactions: `$redaction/<id>` has an event that asks for one and, once it is complete, another.
// Neither holds anything of a body.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/log/record.h"

namespace stele::api {

inline constexpr std::string_view kRedactionPrefix = "$redaction/";
inline constexpr std::string_view kRedactionType = "$redaction";
inline constexpr std::string_view kRedactionRequested = "$RedactionRequested";
inline constexpr std::string_view kRedactionCompleted = "$RedactionCompleted";

/// What was asked for: one record, or all of an aggregate up to a position.
struct RedactionOrder {
  std::string id;  ///< a UUID
  std::string reason;
  std::string aggregate_id;
  std::optional<std::string> aggregate_type;
  std::optional<Position> record;  ///< none: the aggregate
  std::string event_id;            ///< of the record
  SequenceNumber sequence;         ///< of the record
  Position through;                ///< of an aggregate: its newest record when it was asked for
  std::optional<Position> after;   ///< of an aggregate: only records behind this position
  BodyMemberSet members;

  /// Whether it is of actions whose time is over, which nobody has asked for: what is kept of them is left.
  [[nodiscard]] bool is_of_retention() const;
};

/// What was done, since the server was started last.
struct RedactionOutcome {
  std::uint64_t events = 0;                     ///< that have lost members
  std::uint64_t members = 0;                    ///< of these
  std::uint64_t bytes = 0;                      ///< of these
  std::uint64_t client_states = 0;              ///< that clients had stored and that were made of them
  std::uint64_t segments = 0;                   ///< written anew
  std::uint64_t held = 0;                       ///< records that are left because of a legal hold
  std::uint64_t retained = 0;                   ///< that are left because their class is kept longer
  std::optional<Position> first_kept{};         ///< of all that are left
  std::vector<std::string> subscription_ids{};  ///< that may have delivered them
};

/// `data`, `metadata`, `private`. Static storage.
[[nodiscard]] std::string_view name_of(BodyMember member);
[[nodiscard]] std::optional<BodyMember> body_member_of(std::string_view name);

[[nodiscard]] std::string to_json(const RedactionOrder& order);
[[nodiscard]] std::string to_json(const RedactionOutcome& outcome);
/// None if it cannot be understood.
[[nodiscard]] std::optional<RedactionOrder> parse_redaction_order(const Record& record);
[[nodiscard]] std::optional<RedactionOutcome> parse_redaction_outcome(const Record& record);

}  // namespace stele::api
