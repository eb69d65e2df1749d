#pragma once
// The one list of actions: what the audit trail calls everything that is done. Each line of the endpoint table names
// its action, each event of the store's own is one, and openapi.yaml lists them all.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/log/record.h"

namespace stele::api {

/// The retention class of an action, as records store it; its aggregate is `$audit/<name>`.
enum class ActionClass : std::uint8_t { Read = 1, Refusal = 2, Administration = 3, Delivery = 4 };
inline constexpr std::array kActionClasses{ActionClass::Read, ActionClass::Refusal, ActionClass::Administration,
                                           ActionClass::Delivery};
/// `read`, `refusal`, `administration`, `delivery`. Static storage.
[[nodiscard]] std::string_view name_of(ActionClass retention);
[[nodiscard]] std::optional<ActionClass> action_class_of(std::string_view name);

/// What tells that something was done. What is refused or fails is an action whatever it is.
enum class DoneAs : std::uint8_t {
  Action,   ///< a record of kind action
  Event,    ///< an event, which is there already
  Counted,  ///< the hourly record of a subscription
};

/// What the status of an answer says.
[[nodiscard]] constexpr ActionOutcome outcome_of_status(int status) {
  if (status < 400) return ActionOutcome::Done;
  return status < 500 ? ActionOutcome::Refused : ActionOutcome::Failed;
}

struct AuditedAction {
  std::string_view name;
  ActionClass retention;  ///< when it is done; a refusal or failure is of the class refusal
  DoneAs done_as;
  bool is_sensitive;  ///< a read that is audited also when only sensitive ones are
  std::string_view description;
};

/// By name.
[[nodiscard]] std::span<const AuditedAction> audited_actions();
/// Null if there is no such action.
[[nodiscard]] const AuditedAction* find_action(std::string_view name);
/// For tables: the name must be one.
[[nodiscard]] const AuditedAction* audited_as(std::string_view name);

/// Under which action events of the store itself are shown.
struct OwnEventAction {
  std::string_view event_type;  ///< `$…`
  std::string_view action;
};
[[nodiscard]] std::span<const OwnEventAction> own_event_actions();

/// The action's name that a record is shown under.
[[nodiscard]] std::string_view action_name(const RecordHeader& header);
/// What a record is about, `kind:name`: of an event its aggregate, and that of an aggregate `$subscription/x` is
/// `subscription:x`. Empty for an action that is about nothing.
[[nodiscard]] std::string resource_name(const RecordHeader& header);

}  // namespace stele::api
