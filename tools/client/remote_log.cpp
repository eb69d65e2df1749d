#include "tools/client/remote_log.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "api/audit/log_keys.h"
#include "api/endpoint/own_events.h"
#include "api/http/percent.h"
#include "tools/client/event_filters.h"
#include "tools/client/problem.h"

namespace stele::tools {

namespace {

/// A rotation is two of them.
constexpr std::size_t kKeyEventsMax = 1000;

Error no_answer(const char* what) {
  return Error{.kind = ErrorKind::Corrupt, .message = std::string("the server's answer is ") + what};
}

Error refused(const std::string& target, const HttpResponse& response) {
  return Error{.kind = response.status == 404 ? ErrorKind::NotFound : ErrorKind::Unsupported,
               .message = target + " was refused: " + read_problem(response).describe()};
}

}  // namespace

std::string tile_path(std::uint64_t index, std::uint64_t width) {
  std::string path = fmt::format("{:03}", index % 1000);
  for (index /= 1000; index > 0; index /= 1000) path = fmt::format("x{:03}/{}", index % 1000, path);
  return width == 256 ? path : fmt::format("{}.p/{}", path, width);
}

Result<HttpResponse> RemoteLog::get(std::string target) {
  HttpRequest request;
  request.target = std::move(target);
  STELE_ASSIGN(HttpResponse response, server_.send(request));
  if (response.status != 200) return refused(request.target, response);
  return response;
}

Result<std::optional<std::string>> RemoteLog::get_if_shown(std::string target) {
  using Found = std::optional<std::string>;
  HttpRequest request;
  request.target = std::move(target);
  STELE_ASSIGN(HttpResponse response, server_.send(request));
  if (response.status == 401 || response.status == 403) return Found{};
  if (response.status == 200) return Found(std::move(response.body));
  return refused(request.target, response);
}

Result<CheckpointFile> RemoteLog::checkpoint() {
  STELE_ASSIGN(const HttpResponse response, get("/log/checkpoint"));
  CheckpointFile file;
  STELE_ASSIGN(file.note, parse_note(response.body));
  STELE_ASSIGN(file.checkpoint, parse_checkpoint(file.note.text));
  return file;
}

Result<std::optional<std::vector<Digest>>> RemoteLog::consistency(std::uint64_t from, std::uint64_t to) {
  using Found = std::optional<std::vector<Digest>>;
  STELE_ASSIGN(const auto body, get_if_shown(fmt::format("/v1/audit/consistency?from={}&to={}", from, to)));
  if (!body) return Found{};
  STELE_ASSIGN(auto path, api::read_consistency_proof(*body));
  return Found(std::move(path));
}

Result<std::vector<Digest>> RemoteLog::leaves(std::uint64_t tile, std::uint64_t width) {
  STELE_ASSIGN(const HttpResponse response, get("/log/tile/0/" + tile_path(tile, width)));
  if (response.body.size() != width * sizeof(Digest)) return no_answer("no tile of that many hashes");
  std::vector<Digest> leaves(width);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    std::copy_n(response.body.begin() + static_cast<std::ptrdiff_t>(i * sizeof(Digest)), sizeof(Digest),
                reinterpret_cast<char*>(leaves[i].data()));
  }
  return leaves;
}

Result<std::optional<std::vector<std::string>>> RemoteLog::entries(std::uint64_t tile, std::uint64_t width) {
  STELE_ASSIGN(const auto body, get_if_shown("/log/tile/entries/" + tile_path(tile, width)));
  using Found = std::optional<std::vector<std::string>>;
  if (!body) return Found{};
  std::vector<std::string> entries;
  for (std::string_view rest = *body; !rest.empty();) {
    if (rest.size() < 2) return no_answer("no bundle of entries");
    const std::size_t length =
        (static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8) | static_cast<unsigned char>(rest[1]);
    if (rest.size() - 2 < length || entries.size() == width) return no_answer("no bundle of that many entries");
    entries.emplace_back(rest.substr(2, length));
    rest.remove_prefix(2 + length);
  }
  if (entries.size() != width) return no_answer("no bundle of that many entries");
  return Found(std::move(entries));
}

Result<std::optional<std::vector<api::EventProof>>> RemoteLog::key_events(const std::string& origin) {
  using Found = std::optional<std::vector<api::EventProof>>;
  EventTarget target("/v1/events");
  target.add("aggregateId", api::own_aggregate_id(api::kKeyAggregatePrefix, origin));
  target.add("includeSystem", "true");
  target.add("limit", std::to_string(kKeyEventsMax));
  STELE_ASSIGN(const auto list, get_if_shown(target.text()));
  if (!list) return Found{};
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array events;
  if (parser.parse(simdjson::padded_string(*list)).get(root) != simdjson::SUCCESS ||
      root["events"].get(events) != simdjson::SUCCESS) {
    return no_answer("no list of events");
  }
  if (!root["nextCursor"].is_null()) return no_answer("a list of more events of keys than are looked at");
  std::vector<api::EventProof> proofs;
  for (const simdjson::dom::element event : events) {
    std::string_view id;
    if (event["eventId"].get(id) != simdjson::SUCCESS) return no_answer("an event without an eventId");
    std::string path = "/v1/events/";
    api::append_percent_encoded(path, id);
    STELE_ASSIGN(const HttpResponse proof, get(path + "/proof?wait=checkpoint"));
    STELE_ASSIGN(api::EventProof read, api::read_event_proof(proof.body));
    proofs.push_back(std::move(read));
  }
  return Found(std::move(proofs));
}

}  // namespace stele::tools
