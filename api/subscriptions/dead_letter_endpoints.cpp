#include "api/subscriptions/dead_letter_endpoints.h"

#include <charconv>
#include <utility>

#include "api/http/bounded_read.h"
#include "api/http/parameters.h"
#include "api/json/json_writer.h"
#include "api/subscriptions/list_request.h"
#include "api/subscriptions/redrive_request.h"
#include "api/subscriptions/subscription_access.h"
#include "api/subscriptions/subscription_json.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

constexpr std::size_t kRedriveBodyBytesMax = 64U << 10;

ListReader dead_letters_of(const SubscriptionRoom& room, const Store& store, const EventNotes* notes, std::string id,
                           Caller caller) {
  return [&room, &store, notes, id = std::move(id), caller = std::move(caller)](
             const std::optional<Cursor>& behind, std::size_t limit,
             const std::function<void(std::string_view)>& take) -> ListPiece {
    const auto found = room.dead_letters(id, behind ? behind->position.next() : Position{0}, limit);
    const auto view = store.view();
    Record record;
    std::string text;
    for (const ListedDeadLetter& listed : found) {
      if (!view->read(listed.position, record)) return {std::nullopt, read_failed()};
      if (!caller.may_see(record.header())) continue;
      text.clear();
      append_dead_letter_json(text, listed, record.header(), notes);
      take(text);
    }
    if (found.size() < limit) return {};
    return {Cursor{CursorKind::DeadLetters, Direction::Ascending, found.back().position, {}}};
  };
}

ListReader held_aggregates_of(const SubscriptionRoom& room, std::string id) {
  return [&room, id = std::move(id)](const std::optional<Cursor>& behind, std::size_t limit,
                                     const std::function<void(std::string_view)>& take) -> ListPiece {
    const auto found = room.held(id, behind ? behind->key : std::string(), limit);
    std::string text;
    for (const ListedHeld& listed : found) {
      text.clear();
      append_held_json(text, listed);
      take(text);
    }
    if (found.size() < limit) return {};
    return {Cursor{CursorKind::HeldAggregates, Direction::Ascending, {}, found.back().aggregate_id}};
  };
}

}  // namespace

std::vector<Endpoint> DeadLetterEndpoints::endpoints() {
  const EndpointLimits list_of{.answer = AnswerForm::JsonOrLines, .query = QueryUse::Read};
  const EndpointLimits which{.body = BodyForm::Json, .body_bytes_max = kRedriveBodyBytesMax};
  const EndpointLimits one;
  return {
      {Method::Get, "/v1/subscriptions/{subscriptionId}/dead-letters", Permission::Read, list_of, RunsOn::ReadPool,
       [this](const CallPtr& call) { list(*call); }, audited_as("dead-letters.list")},
      {Method::Post, "/v1/subscriptions/{subscriptionId}/dead-letters/redrive", Permission::Subscribe, which,
       RunsOn::ReadPool, [this](const CallPtr& call) { redrive(*call); }, audited_as("dead-letters.redrive")},
      {Method::Delete, "/v1/subscriptions/{subscriptionId}/dead-letters/{position}", Permission::Subscribe, one,
       RunsOn::ReadPool, [this](const CallPtr& call) { drop(*call); }, audited_as("dead-letter.drop")},
  };
}

void DeadLetterEndpoints::list(Call& call) {
  Parameters parameters(call.request().query(), {"held", "limit", "cursor"});
  const bool held = parameters.flag("held").value_or(false);
  const auto request =
      parse_list(parameters, call, held ? CursorKind::HeldAggregates : CursorKind::DeadLetters, store_.store_id());
  if (const auto* const problem = std::get_if<Problem>(&request)) return call.fail(*problem);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_look_at(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.send(
      answer_list(std::get<ListRequest>(request), held ? "held" : "deadLetters", call.request(),
                  held ? held_aggregates_of(room_, id) : dead_letters_of(room_, store_, notes_, id, call.caller())));
}

void DeadLetterEndpoints::redrive(Call& call) {
  const auto parsed = parse_redrive_request(call.request().body(), clock_.now());
  if (const auto* const problem = std::get_if<Problem>(&parsed)) return call.fail(*problem);
  const RedriveRequest& request = std::get<RedriveRequest>(parsed);
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  call.has_acted();
  const auto redriven = room_.redrive(id, request.filter, request.per_second_max, request.dry_run,
                                      [&call] { return call.request().abandoned(); });
  if (const auto* const problem = std::get_if<Problem>(&redriven)) return call.fail(*problem);
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("positions").begin_array();
  for (const Position position : std::get<SubscriptionRoom::Redriven>(redriven).positions) {
    json.number(position.value());
  }
  json.end_array().key("dryRun").boolean(request.dry_run).end_object();
  call.send(std::move(response));
}

void DeadLetterEndpoints::drop(Call& call) {
  const std::string& id = call.parameter("subscriptionId");
  const auto found = find_to_change(room_, call.caller(), id);
  if (const auto* const problem = std::get_if<Problem>(&found)) return call.fail(*problem);
  const std::string& text = call.parameter("position");
  std::uint64_t position = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), position);
  if (error != std::errc() || end != text.data() + text.size()) {
    return call.fail(Problem("dead-letter-not-found", "Dead letters are named by their position; this is none."));
  }
  call.has_acted();
  if (const auto problem = room_.drop(id, Position{position})) return call.fail(*problem);
  Response response;
  response.status = 204;
  response.content_type = {};
  call.send(std::move(response));
}

}  // namespace stele::api
