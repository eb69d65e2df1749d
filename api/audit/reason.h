#pragma once
// Why an administrator does what cannot be taken back, or what keeps others from it: for whoever reads the log later.

#include <string>

#include "api/http/body_members.h"

namespace stele::api {

/// The member `reason`, which must be there: 1 to 1,000 characters without control characters. Errors are those of
/// `members`.
[[nodiscard]] std::string required_reason(BodyMembers& members);

}  // namespace stele::api
