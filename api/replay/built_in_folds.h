#pragma once
// The folds that need no script.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "api/replay/event_handler.h"
#include "api/replay/fold.h"

namespace stele::api {

/// Of a kind that is no script. From `state`, which is copied; none = from the beginning. Beyond `state_bytes_max` it
/// fails.
[[nodiscard]] std::unique_ptr<Fold> make_built_in_fold(EventHandler::Kind kind, std::optional<std::string_view> state,
                                                       std::size_t state_bytes_max);

}  // namespace stele::api
