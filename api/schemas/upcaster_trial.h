#pragma once
// Whether a script can be an upcaster at all, before anything is upcast with it.

#include <functional>
#include <optional>

#include "api/http/problem.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/upcaster.h"

namespace stele::api {

/// Why it cannot, or cannot be tried now; none of operations. May take some seconds. `abandoned` may be empty.
[[nodiscard]] std::optional<Problem> unusable_script(const Upcaster& upcaster, const UpcastRuntime& runtime,
                                                     const std::function<bool()>& abandoned);

}  // namespace stele::api
