#pragma once
// GET /v1/head.

#include "api/http/http.h"
#include "engine/store/store.h"

namespace stele::api {

/// The durable end of the log and the tree hash over all of it. Never waits for a disk.
[[nodiscard]] Response show_log_head(const Store& store);

}  // namespace stele::api
