#pragma once
// Events as they come.

#include <memory>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/live/live_room.h"

namespace stele::api {

/// Must outlive its calls and their answers, and what it is made of must outlive it.
class LiveEndpoints {
 public:
  LiveEndpoints(Store& store, EventHub& hub, const ServiceOptions& options) : room_(store, hub, options) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();
  [[nodiscard]] SubjectReport report() const { return room_.report(); }

 private:
  void stream(const std::shared_ptr<Call>& call);

  LiveRoom room_;
};

}  // namespace stele::api
