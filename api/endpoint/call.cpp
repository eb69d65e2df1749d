#include "api/endpoint/call.h"

#include <algorithm>

#include "api/access/authenticator.h"
#include "api/access/cors.h"
#include "api/endpoint/response_compression.h"
#include "api/http/parameters.h"
#include "api/http/percent.h"
#include "engine/base/check.h"

namespace stele::api {

namespace {

/// What a parameter of a path names. The type and name of a handler belong together.
std::string_view resource_kind(std::string_view pattern, std::string_view parameter) {
  if (parameter == "aggregateId") return "aggregate";
  if (parameter == "eventId") return "event";
  if (parameter == "subscriptionId") return "subscription";
  if (parameter == "eventType") return "schema";
  if (parameter == "holdName") return "hold";
  if (parameter != "aggregateType") return {};
  return pattern.starts_with("/v1/handlers/") ? "handler" : "snapshot-policy";
}

/// What a call is about, if its path says so.
void append_resource(std::string& to, const Route& route, const std::vector<std::string>& values) {
  if (values.empty()) return;
  const std::string_view kind = resource_kind(route.pattern, route.parameters.front());
  if (kind.empty()) return;
  to.append(kind) += ':';
  to += values.front();
  if (kind == "handler" && values.size() > 1) to.append("/") += values[1];
}

/// As in a query.
void append_filters(std::string& to, const Route& route, const std::vector<std::string>& values,
                    std::string_view query) {
  for (std::size_t i = 0; i < values.size() && to.size() < kFiltersBytesMax; ++i) {
    if (!to.empty()) to += '&';
    to.append(route.parameters[i]) += '=';
    append_percent_encoded(to, std::string_view(values[i]).substr(0, kFiltersBytesMax));
  }
  if (!to.empty() && !query.empty()) to += '&';
  to += query.substr(0, kFiltersBytesMax);
  if (to.size() > kFiltersBytesMax) to.resize(kFiltersBytesMax);
}

/// Whether an answer without a caller is none to the question who it is.
bool is_refused_unasked(int status) { return status >= 400 && status != 401 && status != 429; }

}  // namespace

bool Call::take(const RouteMatch& match) {
  for (std::size_t i = 0; i < match.route->parameters.size(); ++i) {
    auto decoded = percent_decode(match.segments[i], PlusMeans::Plus);
    if (!decoded) {
      fail(Problem("invalid-path", "The percent-encoding of the path is broken or does not give UTF-8."));
      return false;
    }
    parameters_.push_back(std::move(*decoded));
  }
  route_ = match.route;
  return true;
}

const std::string& Call::parameter(std::string_view name) const {
  STELE_CHECK(route_ != nullptr);
  const auto& names = route_->parameters;
  const auto found = std::find(names.begin(), names.end(), name);
  STELE_CHECK(found != names.end());
  return parameters_[static_cast<std::size_t>(found - names.begin())];
}

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

bool Call::bound(const EndpointLimits& limits) {
  const std::optional<Problem> problem = exceeds(limits);
  if (problem) fail(*problem);
  return !problem;
}

std::optional<Problem> Call::exceeds(const EndpointLimits& limits) {
  const Request& request = *request_;
  if (limits.query == QueryUse::Refused && !request.query().empty()) {
    if (auto problem = Parameters(request.query(), {}).problem()) return problem;
  }
  if (auto problem = bad_body_form(limits.body)) return problem;
  if (limits.answer == AnswerForm::EventStream) {
    if (!accepts(request.header("Accept"), kEventStreamType)) {
      return Problem("not-acceptable", "The answer is text/event-stream.");
    }
  } else if (limits.answer != AnswerForm::Any) {
    const bool has_lines = limits.answer == AnswerForm::JsonOrLines;
    const auto form = accepted_form(request.header("Accept"), has_lines);
    if (!form) {
      return Problem("not-acceptable", has_lines ? "Lists are application/json or application/x-ndjson."
                                                 : "The answer is application/json.");
    }
    accepted_ = *form;
  }
  if (limits.body != BodyForm::None && body_coding_ == ContentCoding::Identity &&
      request.announced_body_bytes() > limits.body_bytes_max) {
    return Problem("payload-too-large", "A body has at most " + std::to_string(limits.body_bytes_max) + " bytes.");
  }
  return std::nullopt;
}

std::optional<Problem> Call::bad_body_form(BodyForm wanted) {
  if (wanted == BodyForm::None || (wanted == BodyForm::Json && request_->body().empty())) return std::nullopt;
  const bool has_events = wanted == BodyForm::Events;
  const std::string_view type = request_->header("Content-Type");
  if (wanted == BodyForm::Script) {
    if (!is_script_type(type)) {
      return Problem("unsupported-media-type", "The Content-Type must be text/javascript, in UTF-8.");
    }
  } else {
    const auto format = api::body_format(type);
    if (!format || (!has_events && *format != BodyFormat::Json)) {
      return Problem("unsupported-media-type",
                     has_events
                         ? "The Content-Type must be application/json, application/x-ndjson, application/ndjson or "
                           "application/jsonl, in UTF-8."
                         : "The Content-Type must be application/json, in UTF-8.");
    }
    body_format_ = *format;
  }
  const auto coding = api::body_coding(request_->header("Content-Encoding"));
  if (!coding || (!has_events && *coding != ContentCoding::Identity)) {
    return Problem("unsupported-media-type", has_events ? "The Content-Encoding must be gzip or zstd, or none."
                                                        : "The body must have no Content-Encoding.")
        .header("Accept-Encoding", has_events ? "gzip, zstd" : "identity");
  }
  body_coding_ = *coding;
  return std::nullopt;
}

void Call::send(std::variant<Response, Problem> result) {
  if (auto* const response = std::get_if<Response>(&result)) {
    send(std::move(*response));
  } else {
    fail(std::get<Problem>(result));
  }
}

std::optional<AnsweredCall> Call::audited(const Response& response, AnsweredCall::Texts& to) const {
  if (auditor_ == nullptr) return std::nullopt;
  const ActionOutcome outcome = outcome_of_status(response.status);
  if (!auditor_->records(*action_, outcome)) return std::nullopt;
  AnsweredCall call{.action = action_, .route = route_, .outcome = outcome, .status = response.status};
  call.principal = caller_.name();
  call.is_stranger = options_.authenticator != nullptr && call.principal.empty() && outcome != ActionOutcome::Done;
  call.remote_address = request_->remote_address();
  call.correlation_id = correlation_;
  call.shown = response.shown;
  if (call.is_stranger) return call;
  to.resource.clear();
  to.filters.clear();
  if (route_ != nullptr) {
    append_resource(to.resource, *route_, parameters_);
    append_filters(to.filters, *route_, parameters_, request_->query());
  }
  call.resource = to.resource;
  call.filters = to.filters;
  return call;
}

void Call::send(Response response) {
  if (!reply_) return;
  if (auditor_ != nullptr && options_.authenticator && caller_.name().empty() && is_refused_unasked(response.status)) {
    // Refused before it was asked who it is, such as for a path that there is not.
    auto found = options_.authenticator->authenticate(*request_);
    if (auto* const caller = std::get_if<Caller>(&found)) caller_ = std::move(*caller);
  }
  thread_local AnsweredCall::Texts texts;
  const std::optional<AnsweredCall> audited_call = audited(response, texts);
  if (!correlation_.empty()) {
    response.headers.emplace_back("X-Correlation-Id", audited_call ? correlation_ : std::move(correlation_));
  }
  response.route = route_;
  response.principal = caller_.shared_principal();
  add_cors(options_.cors_origins, request_->header("Origin"), offered_methods_, response);
  compress_response(*request_, response, on_read_pool_);
  Reply reply = std::exchange(reply_, nullptr);
  if (audited_call) {
    auditor_->answer(*audited_call, std::move(response), std::move(reply));
  } else {
    reply(std::move(response));
  }
}

void Call::fail(const Problem& problem) {
  if (reply_) send(problem.response(request_->path()));
}

void Call::drop() { fail(Problem("request-timeout", "Nobody waits for the answer any more.")); }

void Call::fail_for_shortage(std::string_view what) {
  try {
    const std::string none = "There is no " + std::string(what) + " for ";
    fail((has_acted_ ? Problem("outcome-unknown", none + "the answer: the events may or may not be stored.")
                     : Problem("busy", none + "this request now."))
             .header("Retry-After", "1"));
  } catch (const std::bad_alloc&) {
    send_bare(503);
  }
}

void Call::fail_for(const std::system_error& error) {
  const bool passes =
      error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
  if (passes) return fail_for_shortage("memory or thread");  // which of the two std::thread does not say
  fail_internally(error.what());
}

void Call::fail_internally(const char* what) {
  try {
    Response response = Problem("internal-error", "The server failed while it answered.").response(request_->path());
    response.internal_error = what;
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

bool try_on_read_pool(Scheduler& scheduler, const std::shared_ptr<Call>& call, EndpointHandler work) {
  return scheduler.run_on_read_pool([call, work = std::move(work)] {
    if (call->request().is_cut_off()) return call->drop();
    call->on_read_pool();
    answer_exceptions(*call, [&] { work(call); });
  });
}

void run_on_read_pool(Scheduler& scheduler, const std::shared_ptr<Call>& call, EndpointHandler work) {
  if (try_on_read_pool(scheduler, call, std::move(work))) return;
  call->fail(Problem("busy", "Too many reads wait for the disk.").header("Retry-After", "1"));
}

}  // namespace stele::api
