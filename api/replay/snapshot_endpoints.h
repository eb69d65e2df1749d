#pragma once
// Snapshots of aggregates, and the policies by which they are taken.

#include <memory>
#include <string>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/replay/replay_room.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class SnapshotEndpoints {
 public:
  explicit SnapshotEndpoints(ReplayRoom& room) : room_(room) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  void take(const std::shared_ptr<Call>& call);
  void show(Call& call);
  void show_policies(Call& call);
  void show_policy(Call& call);
  void put_policy(Call& call);
  void remove_policy(Call& call);

  ReplayRoom& room_;
};

}  // namespace stele::api
