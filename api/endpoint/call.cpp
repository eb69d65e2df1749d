#include "api/endpoint/call.h"

#include "api/access/authenticator.h"
#include "api/access/cors.h"
#include "api/endpoint/response_compression.h"

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
  add_cors(options_.cors_origins, request_->header("Origin"), request_->method(), response);
  compress_response(*request_, response, on_read_pool_);
  const Reply reply = std::exchange(reply_, nullptr);
  reply(std::move(response));
}

void Call::fail(const Problem& problem) {
  if (reply_) send(problem.response(request_->path()));
}

void Call::drop() { fail(Problem("request-timeout", "Nobody waits for the answer any more.")); }

void Call::fail_for_memory() {
  try {
    fail((has_acted_
              ? Problem("outcome-unknown", "There is no memory for the answer: the events may or may not be stored.")
              : Problem("busy", "There is no memory for this request now."))
             .header("Retry-After", "1"));
  } catch (const std::bad_alloc&) {
    send_bare(503);
  }
}

void Call::fail_internally(const char* what) {
  try {
    Response response = Problem("internal-error", "The server failed while it answered.").response(request_->path());
    response.fault = what;
    if (reply_) send(std::move(response));
  } catch (const std::bad_alloc&) {
    send_bare(500);
  }
}

void Call::send_bare(int status) {
  if (!reply_) return;
  Response response;
  response.status = status;
  response.content_type = {};
  const Reply reply = std::exchange(reply_, nullptr);
  reply(std::move(response));
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
