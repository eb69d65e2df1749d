#include "api/audit/checkpoint_endpoints.h"

#include "api/audit/tree_refusal.h"
#include "api/endpoint/proof_wait.h"
#include "api/endpoint/visible_event.h"
#include "api/http/negotiation.h"
#include "api/http/parameters.h"
#include "api/json/json_writer.h"
#include "engine/audit/merkle_tree.h"

namespace stele::api {

namespace {

using CallPtr = std::shared_ptr<Call>;

constexpr std::string_view kTextType = "text/plain; charset=utf-8";

Problem nothing_signed(bool signs) {
  return Problem("not-yet-covered", signs ? "No checkpoint was signed yet." : "This server signs no checkpoints.")
      .header("Retry-After", "1");
}

}  // namespace

std::vector<Endpoint> CheckpointEndpoints::endpoints() {
  const Permission look = options_.checkpoints.is_public ? Permission::Open : Permission::Audit;
  const EndpointLimits one;
  const EndpointLimits text{.answer = AnswerForm::Any};
  const EndpointLimits proof_of{.answer = AnswerForm::Any, .query = QueryUse::Read};
  return {
      {Method::Get, "/log/checkpoint", look, text, RunsOn::IoThread, [this](const CallPtr& call) { checkpoint(call); },
       audited_as("log.checkpoint")},
      {Method::Get, "/log/keys", look, one, RunsOn::IoThread, [this](const CallPtr& call) { keys(call); },
       audited_as("log.keys")},
      {Method::Get, "/v1/events/{eventId}/proof", Permission::Read, proof_of, RunsOn::ReadPool,
       [this](const CallPtr& call) { proof(call); }, audited_as("event.proof")},
  };
}

void CheckpointEndpoints::checkpoint(const CallPtr& call) const {
  const bool waits = keeper_ != nullptr && keeper_->waits_for_tree();  // asked first: it ends when one is published
  const auto newest = witnesses_ != nullptr ? witnesses_->newest() : nullptr;
  if (newest == nullptr) {
    return call->fail(waits ? tree_rebuilding(store_.tree().progress()) : nothing_signed(keeper_ != nullptr));
  }
  Response response;
  response.content_type = kTextType;
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.body = newest->note;
  call->send(std::move(response));
}

void CheckpointEndpoints::keys(const CallPtr& call) const {
  Response response;
  JsonWriter json(response.body);
  json.begin_object().key("keys").begin_array();
  for (const LogKey& key : keeper_ != nullptr ? keeper_->keys() : std::vector<LogKey>()) {
    json.begin_object().key("vkey").string(key.verifier.vkey()).key("from").number(key.from.value()).key("until");
    if (key.until) {
      json.number(key.until->value());
    } else {
      json.null();
    }
    json.key("endorsed").boolean(key.endorsed).end_object();
  }
  json.end_array().end_object();
  call->send(std::move(response));
}

void CheckpointEndpoints::proof(const CallPtr& call) {
  const std::string_view accept = call->request().header("Accept");
  const bool as_json = accepts(accept, kJsonType);
  if (!as_json && !accepts(accept, "text/plain")) {
    return call->fail(Problem("not-acceptable", "A proof is application/json or text/plain."));
  }
  Parameters parameters(call->request().query(), {"wait"});
  const bool waits = read_proof_wait(parameters);
  if (const auto problem = parameters.problem()) return call->fail(*problem);

  if (prover_ == nullptr) return call->fail(nothing_signed(false));
  // Read anew after waiting: it may have been redacted meanwhile.
  const auto answer = [this, as_json](const CallPtr& c) {
    Record record;
    if (auto problem = read_visible_event(*store_.view(), c->caller(), c->parameter("eventId"), record)) {
      return c->fail(*problem);
    }
    auto made = as_json ? prover_->proof_json(record) : prover_->proof_file(record);
    if (const auto* problem = std::get_if<Problem>(&made)) return c->fail(*problem);
    Response response;
    if (!as_json) response.content_type = kTextType;
    response.body = std::get<std::string>(std::move(made));
    c->send(std::move(response));
  };
  if (!waits) return answer(call);
  Record record;
  if (auto problem = read_visible_event(*store_.view(), call->caller(), call->parameter("eventId"), record)) {
    return call->fail(*problem);
  }
  const bool taken =
      prover_->wait_covered(record.header().position, kProofWait, [this, call, answer](PositionWaiters::Outcome) {
        // Covered or not, what there is now is the answer.
        answer_exceptions(*call, [&] { run_on_read_pool(scheduler_, call, answer); });
      });
  if (!taken) call->fail(Problem("busy", "Too many requests wait for a checkpoint.").header("Retry-After", "1"));
}

}  // namespace stele::api
