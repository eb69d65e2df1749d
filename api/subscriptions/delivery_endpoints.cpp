#include "api/subscriptions/delivery_endpoints.h"

#include <algorithm>
#include <utility>

#include "api/endpoint/visible_event.h"
#include "api/http/parameters.h"
#include "api/subscriptions/list_request.h"
#include "api/subscriptions/subscription_access.h"
#include "api/subscriptions/subscription_json.h"

namespace stele::api {

namespace {
using CallPtr = std::shared_ptr<Call>;
}  // namespace

std::vector<Endpoint> DeliveryEndpoints::endpoints() {
  const EndpointLimits list{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  return {
      {Method::Get, "/v1/subscriptions/{subscriptionId}/deliveries", Permission::Read, list, RunsOn::ReadPool,
       [this](const CallPtr& call) { of_subscription(*call); }, audited_as("deliveries.list")},
      {Method::Get, "/v1/events/{eventId}/deliveries", Permission::Read, list, RunsOn::ReadPool,
       [this](const CallPtr& call) { of_event(*call); }, audited_as("event.deliveries")},
  };
}

void DeliveryEndpoints::of_subscription(Call& call) {
  Parameters parameters(call.request().query(), {"limit"});
  const auto request = parse_list(parameters, call, CursorKind::Subscriptions, store_.store_id());
  if (const auto* const problem = std::get_if<Problem>(&request)) return call.fail(*problem);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_look_at(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  // So few are remembered that all of them are one piece, the newest first.
  const auto read = [this, id](const std::optional<Cursor>&, std::size_t limit,
                               const std::function<void(std::string_view)>& take) {
    const auto attempts = room_.attempts(id);
    std::string text;
    for (std::size_t i = 0; i < std::min(attempts.size(), limit); ++i) {
      text.clear();
      append_attempt_json(text, attempts[attempts.size() - 1 - i]);
      take(text);
    }
    return ListPiece{};
  };
  call.send(answer_list(std::get<ListRequest>(request), "deliveries", call.request(), read));
}

void DeliveryEndpoints::of_event(Call& call) {
  Parameters parameters(call.request().query(), {"limit", "cursor"});
  const auto request = parse_list(parameters, call, CursorKind::Subscriptions, store_.store_id());
  if (const auto* const problem = std::get_if<Problem>(&request)) return call.fail(*problem);
  const auto event = std::make_shared<Record>();
  if (const auto problem = read_visible_event(*store_.view(), call.caller(), call.parameter("eventId"), *event)) {
    return call.fail(*problem);
  }
  const auto read = [this, event, caller = call.caller()](const std::optional<Cursor>& behind, std::size_t limit,
                                                          const std::function<void(std::string_view)>& take) {
    const auto found = room_.list(behind ? behind->key : std::string(), limit);
    std::string text;
    for (const SubscriptionStatus& status : found) {
      if (!may_look_at(caller, status.definition.owner)) continue;
      text.clear();
      append_fate_json(text, status, room_.fate_of(status.definition.id, *event));
      take(text);
    }
    ListPiece piece;
    if (found.size() == limit) {
      piece.next = Cursor{CursorKind::Subscriptions, Direction::Ascending, {}, found.back().definition.id};
    }
    return piece;
  };
  call.send(answer_list(std::get<ListRequest>(request), "deliveries", call.request(), read));
}

}  // namespace stele::api
