#pragma once
// A replay, asked for and answered as the API does it (POST /v1/events/replay/{aggregateId}).

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/result.h"
#include "tools/client/http_client.h"

namespace stele::tools {

struct ReplayRequest {
  std::string aggregate_id;
  // At most one of these; none: the newest state.
  std::optional<std::uint64_t> to_sequence;
  std::string to_time;      ///< RFC 3339; empty: none
  std::string to_occurred;  ///< likewise
  bool use_snapshot = true;
  std::string handler;  ///< NAME or NAME@VERSION; empty: the default
  std::string source;   ///< of a handler that is to be tried; empty: none
  std::optional<std::uint64_t> compare_to;
};

/// The request's body; InvalidArgument if the version in `handler` is none.
[[nodiscard]] Result<std::string> replay_body(const ReplayRequest& request);

/// Asks the server; the answer as it stands, of any status. Io as HttpClient.
[[nodiscard]] Result<HttpResponse> replay_on_server(HttpClient& client, const ReplayRequest& request);

}  // namespace stele::tools
