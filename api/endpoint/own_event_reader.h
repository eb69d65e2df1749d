#pragma once
// Reads the store's own events of a kind of `$` aggregate, all there are.

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// Calls `take` for each event of each aggregate whose id begins with `prefix`, in the order of each aggregate.
[[nodiscard]] Status each_own_event(const ReadView& view, const std::string& prefix,
                                    const std::function<void(const Record&)>& take);

}  // namespace stele::api
