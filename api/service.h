#pragma once
// All endpoints: the Handler that net puts behind its sockets.

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/options.h"
#include "api/endpoint/router.h"
#include "api/events/appender.h"
#include "api/events/position_waiters.h"
#include "api/http/http.h"
#include "engine/store/store.h"

namespace stele::api {

class Service : public Handler {
 public:
  /// `store` and `scheduler` must outlive the service; the service must outlive its requests. Make it before traffic
  /// begins.
  Service(Store& store, Scheduler& scheduler, ServiceOptions options);

  /// Only events that the caller may append: strangers shall take no memory from callers.
  [[nodiscard]] bool wants_body(const Request& request, std::string& payer) override;
  void handle(const Request& request, Reply reply) override;
  void complete(const Request& request, Response& response) const override;
  /// /readyz says no from here on, and requests that wait for a position are answered. Idempotent.
  void begin_shutdown() override;

 private:
  void dispatch(const std::shared_ptr<Call>& call);
  void route(const std::shared_ptr<Call>& call, const RouteMatch& match);
  void events(const std::shared_ptr<Call>& call);
  void aggregates(const std::shared_ptr<Call>& call);
  /// What the operator should look at, as /readyz shows it; `health` is the store's.
  [[nodiscard]] std::vector<std::string> warnings(const StoreHealth& health) const;
  [[nodiscard]] Response ready(std::string_view path) const;
  [[nodiscard]] Response head() const;
  [[nodiscard]] Response metrics() const;

  Store& store_;
  Scheduler& scheduler_;
  const ServiceOptions options_;
  Appender appender_;
  std::shared_ptr<PositionWaiters> waiters_;
  std::atomic<bool> shutting_down_{false};
};

}  // namespace stele::api
