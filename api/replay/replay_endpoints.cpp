#include "api/replay/replay_endpoints.h"

#include <utility>

#include "api/endpoint/store_refusal.h"
#include "api/endpoint/visible_aggregate.h"
#include "api/http/field_list.h"
#include "api/json/hex.h"
#include "api/replay/replay_answer.h"
#include "api/replay/replay_json.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

/// A script of 256 KiB, every byte of it escaped, and what stands around it.
constexpr std::size_t kReplayBodyBytesMax = (2U << 20) + (16U << 10);

std::function<bool()> abandoned(const Call& call) {
  return [&call] { return call.request().abandoned(); };
}

/// By which a client that has the state already is told so (RFC 9110, 8.8.3).
std::string etag_of(const FoldedState& state, const Digest& fingerprint) {
  constexpr std::size_t kFingerprintBytes = 8;
  std::string tag = '"' + std::to_string(state.sequence.value()) + '-';
  append_hex(tag, as_bytes(fingerprint).substr(0, kFingerprintBytes));
  return tag += '"';
}

/// Compares as If-None-Match does: weakly (RFC 9110, 13.1.2).
bool names(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    std::string_view one = trimmed(take_part(if_none_match, ','));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

Response state_response(const Call& call, const AggregateSummary& aggregate, const EventHandler& handler,
                        const Replayed& replayed) {
  Response response;
  std::string etag = etag_of(replayed.state, replayed.fingerprint);
  if (names(call.request().header("If-None-Match"), etag)) {
    response.status = 304;
    response.content_type = {};
  } else {
    response.body = replay_json(aggregate, handler, replayed, std::nullopt);
  }
  response.headers.emplace_back("ETag", std::move(etag));
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  return response;
}

}  // namespace

/// The right of a caller to try a script, one at a time.
class ReplayEndpoints::Trial {
 public:
  Trial(ReplayEndpoints& endpoints, std::string caller) : endpoints_(endpoints), caller_(std::move(caller)) {
    const std::lock_guard lock(endpoints_.mutex_);
    has_it_ = endpoints_.trying_.insert(caller_).second;
  }
  ~Trial() {
    const std::lock_guard lock(endpoints_.mutex_);
    if (has_it_) endpoints_.trying_.erase(caller_);
  }
  Trial(const Trial&) = delete;
  [[nodiscard]] bool has_it() const { return has_it_; }

 private:
  ReplayEndpoints& endpoints_;
  const std::string caller_;
  bool has_it_ = false;
};

std::vector<Endpoint> ReplayEndpoints::endpoints() {
  const EndpointLimits asked{.body = BodyForm::Json, .body_bytes_max = kReplayBodyBytesMax};
  const EndpointLimits one;
  return {
      {Method::Post, "/v1/events/replay/{aggregateId}", Permission::Read, asked, RunsOn::IoThread,
       [this](const CallPtr& call) { replay(call); }, audited_as("aggregate.replay")},
      {Method::Get, "/v1/aggregates/{aggregateId}/state", Permission::Read, one, RunsOn::ReadPool,
       [this](const CallPtr& call) { state(call); }, audited_as("aggregate.state")},
  };
}

void ReplayEndpoints::replay(const CallPtr& call) {
  auto parsed = parse_replay_request(call->request().body());
  if (const auto* problem = std::get_if<Problem>(&parsed)) return call->fail(*problem);
  auto request = std::make_shared<ReplayRequest>(std::get<ReplayRequest>(std::move(parsed)));
  std::shared_ptr<Trial> trial;
  if (request->handler_source) {
    if (!call->caller().may(Permission::TryHandlers)) {
      return call->fail(insufficient_role(call->caller(), "trying a handler"));
    }
    const std::string_view name = call->caller().name();
    trial = std::make_shared<Trial>(*this, std::string(name.empty() ? call->request().remote_address() : name));
    if (!trial->has_it()) {
      return call->fail(Problem("busy-replays", "A trial of this caller is under way.")
                            .header("Retry-After", std::string(kRetrySoon)));
    }
  }
  room_.threads.run_now(
      call, [this, request, trial = std::move(trial)](const Call& c) { return answer_replay(c, *request); });
}

std::variant<Response, Problem> ReplayEndpoints::answer_replay(const Call& call, const ReplayRequest& request) {
  const auto found = visible_aggregate(*room_.store.view(), call.caller(), call.parameter("aggregateId"));
  if (const auto* const problem = std::get_if<Problem>(&found)) return *problem;
  const auto& aggregate = std::get<AggregateSummary>(found);
  auto answer = api::answer_replay(aggregate, request, room_.handlers, room_.replayer, abandoned(call));
  if (auto* const problem = std::get_if<Problem>(&answer)) return std::move(*problem);
  Response response;
  response.body = std::get<std::string>(std::move(answer));
  return response;
}

void ReplayEndpoints::state(const CallPtr& call) {
  const auto found = visible_aggregate(*room_.store.view(), call->caller(), call->parameter("aggregateId"));
  if (const auto* const problem = std::get_if<Problem>(&found)) return call->fail(*problem);
  const auto& aggregate = std::get<AggregateSummary>(found);
  const EventHandler handler = room_.handlers.default_of(aggregate.aggregate_type);
  const auto kept = room_.replayer.kept_state(aggregate, handler, aggregate.last_sequence);
  if (kept && kept->state->state.sequence == aggregate.last_sequence) {
    Replayed replayed;
    replayed.state = kept->state->state;
    replayed.fingerprint = kept->state->fingerprint;
    replayed.base = Replayed::Base{replayed.state.sequence, kept->source};
    return call->send(state_response(*call, aggregate, handler, replayed));
  }
  room_.threads.run_soon(call, [this, aggregate, handler](const Call& c) -> std::variant<Response, Problem> {
    const auto folded = room_.replayer.replay(aggregate, handler, {}, {}, abandoned(c));
    if (const auto* const failure = std::get_if<ReplayFailure>(&folded)) return failure->problem;
    return state_response(c, aggregate, handler, std::get<Replayed>(folded));
  });
}

}  // namespace stele::api
