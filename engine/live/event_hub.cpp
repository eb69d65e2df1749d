#include "engine/live/event_hub.h"

#include <utility>

#include "engine/base/check.h"
#include "engine/live/hub_core.h"

namespace stele {

EventHub::EventHub(Store& store, EventHubOptions options) : core_(std::make_shared<HubCore>(store, options)) {}

std::unique_ptr<EventFollower> EventHub::follow(EventQuery query, std::function<void()> wake) {
  STELE_CHECK(query.direction == Direction::Ascending);
  auto seat = std::make_shared<FollowerSeat>(std::move(query), std::move(wake));
  core_->add(seat);
  return std::make_unique<EventFollower>(core_, std::move(seat));
}

void EventHub::stop() { core_->stop(); }

EventHubMetrics EventHub::metrics() const { return core_->metrics(); }

}  // namespace stele
