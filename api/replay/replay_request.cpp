#include "api/replay/replay_request.h"

#include <limits>
#include <utility>

#include "api/http/body_members.h"
#include "api/replay/client_snapshots.h"
#include "api/replay/handler_registry.h"

namespace stele::api {

namespace {
constexpr std::uint64_t kSequenceMax = std::numeric_limits<std::int64_t>::max();
}  // namespace

std::variant<ReplayRequest, Problem> parse_replay_request(std::string_view body) {
  auto parsed =
      BodyMembers::parse(body, {"toSequence", "toTimestamp", "toOccurredAt", "useSnapshot", "handler", "compareTo"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  ReplayRequest request;
  if (const auto sequence = members.integer("toSequence", 0, kSequenceMax)) {
    request.end.sequence = SequenceNumber{*sequence};
  }
  request.end.time = members.timestamp("toTimestamp", FinerTimes::Cut);
  request.end.occurred = members.timestamp("toOccurredAt", FinerTimes::Cut);
  if (members.has("toSequence") + members.has("toTimestamp") + members.has("toOccurredAt") > 1) {
    for (const std::string_view name : {"toSequence", "toTimestamp", "toOccurredAt"}) {
      if (members.has(name)) members.refuse(name, "Only one of the members that begin with `to` can be given.");
    }
  }
  request.use_snapshot = members.flag("useSnapshot").value_or(true);
  if (const auto sequence = members.integer("compareTo", 0, kSequenceMax)) {
    request.compare_to = SequenceNumber{*sequence};
  }
  if (auto handler = members.object("handler", {"name", "version", "source"})) {
    request.handler_name = handler->text("name");
    if (const auto version = handler->integer("version", 1, std::numeric_limits<std::uint32_t>::max())) {
      request.handler_version = static_cast<std::uint32_t>(*version);
    }
    request.handler_source = handler->long_text("source", HandlerRegistry::kSourceBytesMax);
    if (handler->has("source") && (handler->has("name") || handler->has("version"))) {
      handler->refuse("source", "A trial has neither name nor version.");
    } else if (!handler->has("source") && !handler->has("name")) {
      handler->refuse("name", "The member is required, or `source`.");
    }
  }
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

std::variant<SnapshotRequest, Problem> parse_snapshot_request(std::string_view body, std::uint32_t depth_max) {
  auto parsed = BodyMembers::parse(body, {"state", "sequenceNumber"});
  if (auto* const problem = std::get_if<Problem>(&parsed)) return std::move(*problem);
  BodyMembers& members = std::get<BodyMembers>(parsed);
  SnapshotRequest request;
  if (const auto sequence = members.integer("sequenceNumber", 1, kSequenceMax)) {
    request.sequence = SequenceNumber{*sequence};
  }
  if (const auto state = members.value("state")) {
    if (state->text.size() > kClientStateBytesMax) {
      members.refuse("state", "Has at most " + std::to_string(kClientStateBytesMax) + " bytes.");
    } else if (state->depth > depth_max) {
      members.refuse("state", "Is nested deeper than " + std::to_string(depth_max) + " levels.");
    } else {
      request.state = std::string(state->text);
    }
  }
  if (members.has("state") != members.has("sequenceNumber")) {
    members.refuse(members.has("state") ? "sequenceNumber" : "state", "`state` and `sequenceNumber` belong together.");
  }
  if (auto problem = members.problem()) return *std::move(problem);
  return request;
}

}  // namespace stele::api
