#pragma once
// What POST /v1/events/replay/{aggregateId} and POST /v1/events/snapshot/{aggregateId} are asked, from their bodies.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/http/problem.h"
#include "api/replay/replayer.h"

namespace stele::api {

struct ReplayRequest {
  ReplayEnd end;
  bool use_snapshot = true;
  std::optional<std::string> handler_name;
  std::optional<std::uint32_t> handler_version;
  std::optional<std::string> handler_source;  ///< a trial
  std::optional<SequenceNumber> compare_to;
};
/// `body` as BodyMembers takes it.
[[nodiscard]] std::variant<ReplayRequest, Problem> parse_replay_request(std::string_view body);

/// A state that the client gives; none = the server is to fold one.
struct SnapshotRequest {
  std::optional<std::string> state;  ///< JSON
  SequenceNumber sequence;           ///< of the last event in it
};
/// `depth_max` of arrays and objects in the state.
[[nodiscard]] std::variant<SnapshotRequest, Problem> parse_snapshot_request(std::string_view body,
                                                                            std::uint32_t depth_max);

}  // namespace stele::api
