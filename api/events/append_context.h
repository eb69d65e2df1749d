#pragma once
// What the events of a request inherit from it.

#include <optional>
#include <string>
#include <string_view>

namespace stele::api {

struct AppendContext {
  std::string correlation_id;                  ///< for events that name none themselves
  std::optional<std::string> idempotency_key;  ///< gives ids to the events that have none
  std::string_view caller;                     ///< whose keys they are; empty without authentication
};

}  // namespace stele::api
