#include "api/subscriptions/subscription_endpoints.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/http/parameters.h"
#include "api/json/json_writer.h"
#include "api/subscriptions/list_request.h"
#include "api/subscriptions/subscribe_request.h"
#include "api/subscriptions/subscription_access.h"
#include "api/subscriptions/subscription_json.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;
using std::chrono::milliseconds;

constexpr std::size_t kSubscribeBodyBytesUsual = 512U << 10;

/// Keys and certificates in PEM, whose line ends are escaped, and what else it may have.
std::size_t subscribe_body_bytes_max(const SubscriptionLimits& limits) {
  constexpr std::size_t kOthers = 256U << 10;
  constexpr std::size_t kQuotes = 8;  ///< and what else stands around an entry
  return std::max(kSubscribeBodyBytesUsual, kOthers + limits.headers_max * (limits.header_bytes_max + kQuotes) +
                                                limits.filter_entries_max * (kStringBytesMax + kQuotes));
}
constexpr std::size_t kSeekBodyBytesMax = 4U << 10;
constexpr milliseconds kAckWaitDefault{5'000}, kAckWaitMax{30'000};

SubscriptionChanger changer_of(const Call& call) { return {call.caller(), call.correlation()}; }

Response subscription_answer(const SubscriptionStatus& status, int code = 200, std::string_view secret = {}) {
  Response response;
  response.status = code;
  append_subscription_json(response.body, status, secret);
  return response;
}

Response no_content() {
  Response response;
  response.status = 204;
  response.content_type = {};
  return response;
}

}  // namespace

std::vector<Endpoint> SubscriptionEndpoints::endpoints() {
  const EndpointLimits definition{.body = BodyForm::Json, .body_bytes_max = subscribe_body_bytes_max(room_.limits())};
  const EndpointLimits place{.body = BodyForm::Json, .body_bytes_max = kSeekBodyBytesMax};
  const EndpointLimits list_of{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  const EndpointLimits waiting{.query = QueryUse::Read};
  const EndpointLimits one;
  return {
      {Method::Post, "/v1/events/subscribe", Permission::Subscribe, definition, RunsOn::ReadPool,
       [this](const CallPtr& call) { subscribe(*call); }, audited_as("subscription.create")},
      {Method::Get, "/v1/subscriptions", Permission::Read, list_of, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(call); }, audited_as("subscriptions.list")},
      {Method::Get, "/v1/subscriptions/{subscriptionId}", Permission::Read, waiting, RunsOn::ReadPool,
       [this](const CallPtr& call) { show(call); }, audited_as("subscription.show")},
      {Method::Patch, "/v1/subscriptions/{subscriptionId}", Permission::Subscribe, definition, RunsOn::ReadPool,
       [this](const CallPtr& call) { change(*call); }, audited_as("subscription.update")},
      {Method::Delete, "/v1/subscriptions/{subscriptionId}", Permission::Subscribe, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { remove(*call); }, audited_as("subscription.delete")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/pause", Permission::Subscribe, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { set(*call, &SubscriptionRoom::pause); }, audited_as("subscription.pause")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/resume", Permission::Subscribe, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { set(*call, &SubscriptionRoom::resume); }, audited_as("subscription.resume")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/seek", Permission::Subscribe, place, RunsOn::ReadPool,
       [this](const CallPtr& call) { seek(*call); }, audited_as("subscription.seek")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/rotate-secret", Permission::Subscribe, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { rotate_secret(*call); }, audited_as("subscription.rotate-secret")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/test", Permission::Subscribe, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { test(call); }, audited_as("subscription.test")},
  };
}

void SubscriptionEndpoints::subscribe(Call& call) {
  auto parsed = parse_subscribe_request(call.request().body(), room_);
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  SubscribeRequest& request = std::get<SubscribeRequest>(parsed);
  if (const auto problem = system_events_refusal(request.definition, call.caller())) return call.fail(*problem);
  if (request.replaces) {
    const auto replaced = find_to_change(room_, call.caller(), *request.replaces);
    if (std::holds_alternative<Problem>(replaced)) {
      return call.fail(Problem("invalid-request", "/replaces: There is no such subscription.")
                           .error({"pointer", "/replaces", "There is no such subscription.", {}}));
    }
  }
  call.has_acted();
  const auto created = room_.create(std::move(request), changer_of(call));
  if (const auto* const problem = std::get_if<Problem>(&created)) return call.fail(*problem);
  const auto& made = std::get<SubscriptionRoom::Created>(created);
  Response response = subscription_answer(made.status, 201, made.secret.value_or(""));
  response.headers.emplace_back("Location", "/v1/subscriptions/" + made.status.definition.id);
  call.send(std::move(response));
}

void SubscriptionEndpoints::list(const CallPtr& call) {
  Parameters parameters(call->request().query(), {"limit", "cursor"});
  const auto request = parse_list(parameters, *call, CursorKind::Subscriptions, store_.store_id());
  if (const auto* const problem = std::get_if<Problem>(&request)) return call->fail(*problem);
  const auto read = [this, caller = call->caller()](const std::optional<Cursor>& behind, std::size_t limit,
                                                    const std::function<void(std::string_view)>& take) {
    const auto found = room_.list(behind ? behind->key : std::string(), limit);
    std::string text;
    for (const SubscriptionStatus& status : found) {
      if (!may_look_at(caller, status.definition.owner)) continue;
      text.clear();
      append_subscription_json(text, status);
      take(text);
    }
    ListPiece piece;
    if (found.size() == limit) {
      piece.next = Cursor{CursorKind::Subscriptions, Direction::Ascending, {}, found.back().definition.id};
    }
    return piece;
  };
  call->send(answer_list(std::get<ListRequest>(request), "subscriptions", call->request(), read));
}

void SubscriptionEndpoints::show(const CallPtr& call) {
  Parameters parameters(call->request().query(), {"ackedPosition", "wait"});
  const auto position = parameters.integer("ackedPosition", 0, kPositionMax);
  const auto wait = parameters.duration("wait", milliseconds{0}, kAckWaitMax);
  if (parameters.has("wait") && !parameters.has("ackedPosition")) {
    parameters.refuse("wait", "Waits until `ackedPosition` is done, which is not given.");
  }
  if (const auto problem = parameters.problem()) return call->fail(*problem);
  const std::string& id = call->parameter("subscriptionId");
  const auto found = find_to_look_at(room_, call->caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call->fail(*problem);
  if (!position) return call->send(subscription_answer(std::get<SubscriptionStatus>(found)));
  const auto waited = [call](const SubscriptionStatus& status) {
    answer_exceptions(*call, [&] { call->send(subscription_answer(status)); });
  };
  if (!room_.wait_acked(id, Position{*position}, wait.value_or(kAckWaitDefault), waited)) {
    // It may have ended meanwhile.
    const auto still = find_to_look_at(room_, call->caller(), id);
    if (const auto* const problem = std::get_if<Problem>(&still)) return call->fail(*problem);
    call->fail(Problem("too-many-waiting", "As many requests as may do so wait for this subscription.")
                   .header("Retry-After", "1"));
  }
}

void SubscriptionEndpoints::change(Call& call) {
  const std::lock_guard lock(changing_);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  auto parsed = parse_change_request(call.request().body(), std::get<SubscriptionStatus>(found).definition, room_);
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  ChangeRequest& request = std::get<ChangeRequest>(parsed);
  if (const auto problem = system_events_refusal(request.definition, call.caller())) return call.fail(*problem);
  call.has_acted();
  const Changed changed = room_.change(id, std::move(request), changer_of(call));
  if (const auto* const problem = std::get_if<Problem>(&changed)) return call.fail(*problem);
  call.send(subscription_answer(std::get<SubscriptionStatus>(changed)));
}

void SubscriptionEndpoints::set(Call& call, Change to) {
  const std::lock_guard lock(changing_);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.has_acted();
  const Changed changed = (room_.*to)(id, changer_of(call));
  if (const auto* const problem = std::get_if<Problem>(&changed)) return call.fail(*problem);
  call.send(subscription_answer(std::get<SubscriptionStatus>(changed)));
}

void SubscriptionEndpoints::seek(Call& call) {
  const auto parsed = parse_seek_request(call.request().body());
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.has_acted();
  const Changed changed = room_.seek(id, std::get<SeekRequest>(parsed), changer_of(call));
  if (const auto* const problem = std::get_if<Problem>(&changed)) return call.fail(*problem);
  call.send(subscription_answer(std::get<SubscriptionStatus>(changed)));
}

void SubscriptionEndpoints::rotate_secret(Call& call) {
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.has_acted();
  const auto rotated = room_.rotate_secret(id, changer_of(call));
  if (const auto* const problem = std::get_if<Problem>(&rotated)) return call.fail(*problem);
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("subscriptionId").string(id);
  json.key("secret").plain(std::get<std::string>(rotated)).end_object();
  call.send(std::move(response));
}

void SubscriptionEndpoints::remove(Call& call) {
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.has_acted();
  if (const auto problem = room_.remove(id, changer_of(call))) return call.fail(*problem);
  call.send(no_content());
}

void SubscriptionEndpoints::test(const CallPtr& call) {
  const std::string& id = call->parameter("subscriptionId");
  const auto found = find_to_change(room_, call->caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call->fail(*problem);
  room_.send_test(id, [call](const std::variant<AttemptOutcome, Problem>& tested) {
    answer_exceptions(*call, [&] {
      if (const auto* const problem = std::get_if<Problem>(&tested)) return call->fail(*problem);
      const AttemptOutcome& outcome = std::get<AttemptOutcome>(tested);
      if (outcome.abandoned) {
        return call->fail(Problem("busy",
                                  "Nothing was attempted: too much is under way, or the server is shutting "
                                  "down.")
                              .header("Retry-After", "1"));
      }
      Response response;
      response.body = outcome_json(outcome);
      call->send(std::move(response));
    });
  });
}

}  // namespace stele::api
