#pragma once
// Registering and showing handlers.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/replay/replay_room.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class HandlerEndpoints {
 public:
  explicit HandlerEndpoints(ReplayRoom& room) : room_(room) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void put(const std::shared_ptr<Call>& call, const std::string& name);
  void list(Call& call, const std::optional<std::string>& aggregate_type);
  void show(Call& call);
  void show_version(Call& call);

  ReplayRoom& room_;
};

}  // namespace stele::api
