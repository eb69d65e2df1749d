#include "tools/commands/witness_service.h"

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "api/http/problem.h"
#include "api/json/json_text.h"
#include "net/log/log.h"

namespace stele::tools {

namespace {

using Kind = WitnessAnswer::Kind;

constexpr std::string_view kAddCheckpointPath = "/add-checkpoint";

api::Response text_answer(int status, std::string_view type, std::string body) {
  api::Response response;
  response.status = status;
  response.content_type = type;
  response.body = std::move(body);
  return response;
}

api::Response refusal(const api::Request& request, std::string_view slug, std::string why) {
  return api::Problem(slug, api::without_paths(why)).response(request.path());
}

bool is_too_long(const api::Request& request) { return request.announced_body_bytes() > kWitnessRequestBytesMax; }

}  // namespace

bool WitnessService::wants_body(const api::Request& request, api::BodyTerms& terms) {
  terms.bytes_max = kWitnessRequestBytesMax;
  return request.path() == kAddCheckpointPath && request.method() == api::Method::Post && !is_too_long(request);
}

void WitnessService::handle(const api::Request& request, api::Reply reply) {
  if (request.path() != kAddCheckpointPath) {
    return reply(refusal(request, "not-found", "A witness answers POST /add-checkpoint, and nothing else."));
  }
  if (request.method() != api::Method::Post) {
    return reply(api::Problem("method-not-allowed", "Checkpoints are added with POST.")
                     .header("Allow", "POST")
                     .response(request.path()));
  }
  if (is_too_long(request)) {
    return reply(
        refusal(request, "payload-too-large",
                "A checkpoint and its proof have at most " + std::to_string(kWitnessRequestBytesMax) + " bytes."));
  }
  if (!scheduler_.run_on_read_pool([this, &request, reply] { reply(answer_to(request)); })) {
    reply(api::Problem("busy", "Too many requests wait for the disk.")
              .header("Retry-After", "1")
              .response(request.path()));
  }
}

api::Response WitnessService::answer_to(const api::Request& request) {
  WitnessAnswer answer;
  try {
    answer = witness_.add_checkpoint(request.body());
  } catch (const std::exception& error) {  // there is no memory
    return refusal(request, "internal-error", error.what());
  }
  switch (answer.kind) {
    case Kind::Cosigned:
      return text_answer(200, "text/plain; charset=utf-8", std::move(answer.cosignatures));
    case Kind::Malformed:
    case Kind::SizesReversed:
      return refusal(request, "malformed-request", answer.detail);
    case Kind::UnknownLog:
      return refusal(request, "not-found", answer.detail);
    case Kind::UnsignedByLog:
      return refusal(request, "unknown-log-key", answer.detail);
    case Kind::OtherRoot:
      net::log_warning("a log shows a fork at size {}: {}", answer.size, answer.detail);
      [[fallthrough]];
    case Kind::OtherSize:
      return text_answer(409, "text/x.tlog.size", std::to_string(answer.size) + "\n");
    case Kind::Inconsistent:
      net::log_warning("a log, or somebody with an old checkpoint of it, sends a proof that does not hold: {}",
                       answer.detail);
      return refusal(request, "inconsistent-checkpoint", answer.detail);
    case Kind::Failed:
      break;
  }
  net::log_error("a checkpoint cannot be kept, and was not cosigned: {}", answer.detail);
  return refusal(request, "internal-error", "The checkpoint cannot be kept, and was not cosigned.");
}

}  // namespace stele::tools
