#pragma once
// Actions as records.

#include <string>
#include <string_view>

#include "api/audit/joined_calls.h"
#include "engine/base/clock.h"
#include "engine/commit/proposal.h"

namespace stele::api {

/// Actions stand in the aggregates `$audit/<class>`.
inline constexpr std::string_view kActionPrefix = "$audit/";

/// One that is no call; `details` is a JSON object, `resource` may be empty.
[[nodiscard]] RecordDraft action_draft(const AuditedAction& action, std::string_view resource, std::string details,
                                       const Clock& clock, ActionOutcome outcome = ActionOutcome::Done);
/// What was called from where is its private member, the rest its data.
[[nodiscard]] RecordDraft action_draft(const JoinedCall& call, const Clock& clock);

/// The remote address in the private member of an action; empty if there is none.
[[nodiscard]] std::string remote_address_of(const Record& record);

}  // namespace stele::api
