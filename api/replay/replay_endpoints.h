#pragma once
// POST /v1/events/replay/{aggregateId} and GET /v1/aggregates/{aggregateId}/state.

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/replay/replay_request.h"
#include "api/replay/replay_room.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class ReplayEndpoints {
 public:
  explicit ReplayEndpoints(ReplayRoom& room) : room_(room) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  class Trial;

  void replay(const std::shared_ptr<Call>& call);
  [[nodiscard]] std::variant<Response, Problem> answer_replay(const Call& call, const ReplayRequest& request);
  void state(const std::shared_ptr<Call>& call);

  ReplayRoom& room_;
  std::mutex mutex_;
  std::set<std::string> trying_;  ///< who has a trial under way
};

}  // namespace stele::api
