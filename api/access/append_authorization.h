#pragma once
// What a caller may append: in whose name, and to aggregates of which types.

#include <optional>

#include "api/access/principal.h"
#include "api/http/body_format.h"
#include "api/http/problem.h"
#include "engine/store/store.h"

namespace stele::api {

/// Puts the caller's name into the events of a parsed proposal, and narrows its conditions to what the caller may see.
/// The refusal (403) if it may not append this:
/// - an event in the name of another user, unless the role allows it;
/// - with a limit to aggregate types: an event of another type or of none, and a condition that names another type or
///   an aggregate of one. An entry of failIfEventsMatch without aggregateTypes means those of the limit, as in lists.
/// An aggregate whose type is not in the event is looked up in `store`. What the commit itself finds out (the aggregate
/// has another type than the event says) is to be refused with foreign_type() as well.
/// `body` is what was parsed; it says where the error lies.
struct AuthorizationOutcome {
  std::optional<Problem> problem;
  bool would_wait = false;  ///< the type of an aggregate is on the disk: ask again where waiting for it is allowed
};
[[nodiscard]] AuthorizationOutcome apply_append_authorization(const Caller& caller, const Store& store,
                                                              std::string_view body, BodyFormat format,
                                                              Proposal& proposal, DiskWait wait);

/// The refusal for an event of an aggregate that is outside the caller's limit, without anything about the aggregate.
[[nodiscard]] Problem foreign_type();

}  // namespace stele::api
