#include "api/live/live_endpoints.h"

#include <utility>

#include "api/endpoint/event_filters.h"
#include "api/http/negotiation.h"
#include "api/live/event_source.h"
#include "api/live/stream_request.h"

namespace stele::api {

std::vector<Endpoint> LiveEndpoints::endpoints() {
  const EndpointLimits live{.answer = AnswerForm::EventStream, .query = QueryUse::Read};
  return {{Method::Get, "/v1/events/stream", Permission::Read, live, RunsOn::IoThread,
           [this](const std::shared_ptr<Call>& call) { stream(call); }}};
}

void LiveEndpoints::stream(const std::shared_ptr<Call>& call) {
  auto parsed = parse_stream_request(call->request(), room_.store);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  EventQuery& query = std::get<EventQuery>(parsed);
  if (!may_list(*call, query)) return;
  Response response;
  response.content_type = kEventStreamType;
  response.headers.emplace_back("Cache-Control", "no-store");
  if (call->request().method() == Method::Head) return call->send(std::move(response));
  auto place = room_.take_place(LiveRoom::Kind::EventSource);
  if (!place) {
    const std::string max = std::to_string(room_.options.live.streams_max);
    return call->fail(Problem("too-many-streams", "There are " + max + " live streams, as many as there may be.")
                          .member("limit", "\"live-streams\"")
                          .header("Retry-After", "10"));
  }
  auto feed = std::make_unique<LiveFeed>(room_, *call, std::move(query), std::move(*place));
  response.pushed = std::make_unique<EventSource>(std::move(feed), room_.options.live.checkpoint_interval);
  call->send(std::move(response));
}

}  // namespace stele::api
