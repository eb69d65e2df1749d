#include "api/live/live_endpoints.h"

#include <utility>

#include "api/access/cors.h"
#include "api/endpoint/event_filters.h"
#include "api/http/negotiation.h"
#include "api/live/event_source.h"
#include "api/live/live_socket.h"
#include "api/live/stream_request.h"

namespace stele::api {

namespace {

Response event_stream() {
  Response response;
  response.content_type = kEventStreamType;
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

}  // namespace

std::vector<Endpoint> LiveEndpoints::endpoints() {
  const EndpointLimits live{.answer = AnswerForm::EventStream, .query = QueryUse::Read};
  return {{Method::Get, "/v1/events/stream", Permission::Read, live, RunsOn::IoThread,
           [this](const std::shared_ptr<Call>& call) { stream(call); }, audited_as("events.stream")}};
}

void LiveEndpoints::stream(const std::shared_ptr<Call>& call) {
  const Request& request = call->request();
  auto parsed = parse_stream_request(request, room_.store, room_.options.notes);
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  auto& [query, version] = std::get<StreamRequest>(parsed);
  if (!may_list(*call, query)) return;
  MessageFraming* const framing = room_.options.web_sockets;
  const bool is_socket = framing != nullptr && framing->is_wanted(request);
  if (is_socket) {
    if (auto objection = framing->objection(request, kLiveProtocol)) return call->fail(*objection);
    // Whatever a page asks for with a WebSocket, the browser lets it read.
    if (!may_connect_from(request, room_.options.cors_origins)) {
      return call->fail(Problem("foreign-origin", "The flag --cors-origin does not name the page's origin."));
    }
  } else if (request.method() == Method::Head) {
    return call->send(event_stream());
  }
  auto place = room_.take_place(is_socket ? LiveRoom::Kind::WebSocket : LiveRoom::Kind::EventSource);
  if (!place) {
    const std::string max = std::to_string(room_.options.live.streams_max);
    return call->fail(Problem("too-many-streams", "There are " + max + " live streams, as many as there may be.")
                          .member("limit", "\"live-streams\"")
                          .header("Retry-After", "10"));
  }
  const auto interval = room_.options.live.checkpoint_interval;
  auto feed = std::make_unique<LiveFeed>(room_, *call, std::move(query), version, std::move(*place));
  if (is_socket) {
    auto socket = std::make_unique<LiveSocket>(std::move(feed), interval);
    return call->send(framing->answer(request, kLiveProtocol, std::move(socket), kLiveMessageBytesMax));
  }
  Response response = event_stream();
  response.pushed = std::make_unique<EventSource>(std::move(feed), interval);
  call->send(std::move(response));
}

}  // namespace stele::api
