#include "tools/client/replay_answer.h"

#include <charconv>
#include <system_error>

#include "api/http/percent.h"
#include "api/json/json_writer.h"

namespace stele::tools {

Result<std::string> replay_body(const ReplayRequest& request) {
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  if (request.to_sequence) json.key("toSequence").number(*request.to_sequence);
  if (!request.to_time.empty()) json.key("toTimestamp").string(request.to_time);
  if (!request.to_occurred.empty()) json.key("toOccurredAt").string(request.to_occurred);
  if (!request.use_snapshot) json.key("useSnapshot").boolean(false);
  if (!request.source.empty()) {
    json.key("handler").begin_object().key("source").string(request.source).end_object();
  } else if (!request.handler.empty()) {
    const std::size_t at = request.handler.rfind('@');
    json.key("handler").begin_object().key("name").string(request.handler.substr(0, at));
    if (at != std::string::npos) {
      const char* const end = request.handler.data() + request.handler.size();
      std::uint64_t version = 0;
      const auto [behind, error] = std::from_chars(request.handler.data() + at + 1, end, version);
      if (error != std::errc{} || behind != end || version == 0) {
        return Error{ErrorKind::InvalidArgument, "a version is a whole number from 1 on: NAME@VERSION"};
      }
      json.key("version").number(version);
    }
    json.end_object();
  }
  if (request.compare_to) json.key("compareTo").number(*request.compare_to);
  json.end_object();
  return body;
}

Result<HttpResponse> replay_on_server(HttpClient& client, const ReplayRequest& request) {
  STELE_ASSIGN(const std::string body, replay_body(request));
  HttpRequest http;
  http.method = "POST";
  http.target = "/v1/events/replay/";
  api::append_percent_encoded(http.target, request.aggregate_id);
  http.headers.emplace_back("Content-Type", "application/json");
  http.body = body;
  return client.send(http);
}

}  // namespace stele::tools
