#include "api/call.h"

#include <algorithm>

#include "api/access/authenticator.h"
#include "api/response_compression.h"

namespace stele::api {

bool Call::admit(Permission needed) {
  if (needed == Permission::Open || !options_.authenticator) return true;
  auto found = options_.authenticator->authenticate(*request_);
  if (const auto* problem = std::get_if<Problem>(&found)) {
    fail(*problem);
    return false;
  }
  caller_ = std::get<Caller>(std::move(found));
  if (caller_.may(needed)) return true;
  fail(insufficient_role(caller_, "this"));
  return false;
}

void Call::send(Response response) {
  if (!reply_) return;
  if (!correlation_.empty()) response.headers.emplace_back("X-Correlation-Id", std::move(correlation_));
  response.route = route_;
  response.principal = caller_.shared_principal();
  add_cors(response);
  compress_response(*request_, response, on_read_pool_);
  const Reply reply = std::exchange(reply_, nullptr);
  reply(std::move(response));
}

void Call::fail(const Problem& problem) {
  if (reply_) send(problem.response(request_->path()));
}

void Call::drop() { fail(Problem("request-timeout", "Nobody waits for the answer any more.")); }

void Call::add_cors(Response& response) const {
  if (options_.cors_origins.empty()) return;
  response.headers.emplace_back("Vary", "Origin");
  const std::string_view origin = request_->header("Origin");
  if (origin.empty()) return;
  const auto allowed = [&](const std::string& configured) { return configured == "*" || configured == origin; };
  if (std::none_of(options_.cors_origins.begin(), options_.cors_origins.end(), allowed)) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response.headers.emplace_back("Access-Control-Expose-Headers",
                                "Location, Link, Retry-After, X-Correlation-Id, X-Request-Id, Idempotent-Replayed, Allow, "
                                "WWW-Authenticate");
  if (request_->method() == Method::Options) {
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
    response.headers.emplace_back(
        "Access-Control-Allow-Headers",
        "Content-Type, Content-Encoding, Accept, Authorization, Idempotency-Key, X-Correlation-Id, traceparent, tracestate");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
  }
}

Problem insufficient_role(const Caller& caller, std::string_view for_what) {
  const Principal* const principal = caller.principal();
  const std::string role = principal == nullptr ? "" : std::string(name_of(principal->role));
  return Problem("insufficient-role", "The role " + role + " does not allow " + std::string(for_what) + ".")
      .header("WWW-Authenticate", R"(Bearer realm="stele", error="insufficient_scope")");
}

void run_on_read_pool(Scheduler& scheduler, const std::shared_ptr<Call>& call, std::function<void(Call&)> work) {
  const bool taken = scheduler.run_on_read_pool([call, work = std::move(work)] {
    if (call->request().is_cut_off()) return call->drop();
    call->on_read_pool();
    answer_exceptions(*call, [&] { work(*call); });
  });
  if (!taken) call->fail(Problem("busy", "Too many reads wait for the disk.").header("Retry-After", "1"));
}

}  // namespace stele::api
