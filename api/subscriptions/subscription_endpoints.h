#pragma once
// Subscriptions: making, showing, changing, ending and trying them.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/endpoint/call.h"
#include "api/endpoint/endpoint.h"
#include "api/subscriptions/subscription_room.h"
#include "engine/store/store.h"

namespace stele::api {

/// Must outlive its calls, and what it is made of must outlive it.
class SubscriptionEndpoints {
 public:
  SubscriptionEndpoints(SubscriptionRoom& room, const Store& store) : room_(room), store_(store) {}

  [[nodiscard]] std::vector<Endpoint> endpoints();

 private:
  using Changed = std::variant<SubscriptionStatus, Problem>;
  using Change = Changed (SubscriptionRoom::*)(const std::string& id, const SubscriptionChanger& by);

  void subscribe(Call& call);
  void list(const std::shared_ptr<Call>& call);
  void show(const std::shared_ptr<Call>& call);
  void change(Call& call);
  /// Pausing and resuming.
  void set(Call& call, Change to);
  void seek(Call& call);
  void rotate_secret(Call& call);
  void remove(Call& call);
  void test(const std::shared_ptr<Call>& call);

  SubscriptionRoom& room_;
  const Store& store_;
  std::mutex changing_;  ///< held from reading a definition until it is changed
};

}  // namespace stele::api
