#include "net/server/request_log.h"

#include <cstddef>

#include "api/access/principal.h"
#include "api/endpoint/endpoint_table.h"
#include "api/http/problem.h"
#include "api/http/request_headers.h"
#include "net/log/log.h"

namespace stele::net {

namespace {

constexpr std::size_t logged_path_max = 1024;

std::string_view sent_field(const api::Response& answer, std::string_view name) {
  for (const auto& [sent, value] : answer.headers) {
    if (same_ignoring_case(sent, name)) return value;
  }
  return {};
}

}  // namespace

void log_access(AccessLog& log, const LoggedRequest& about, std::uint64_t body_bytes, std::int64_t micros, bool whole) {
  const RequestHead& head = about.request.head();
  const api::Response& answer = *about.answer;
  AccessLog::Entry entry;
  entry.cut = !whole;
  entry.method = head.method_name;
  entry.path = head.path;
  entry.status = answer.status;
  entry.bytes = body_bytes;
  entry.micros = micros;
  entry.remote = about.remote;
  entry.correlation_id = sent_field(answer, "X-Correlation-Id");
  entry.request_id = sent_field(answer, "X-Request-Id");
  entry.client_request_id = about.request.header("X-Request-Id");
  const std::string_view traceparent = about.request.header("traceparent");
  entry.trace_id = api::trace_id_of(traceparent);
  entry.span_id = api::span_id_of(traceparent);
  if (answer.route != nullptr) entry.route = answer.route->label;
  if (answer.problem != nullptr) entry.problem = answer.problem->slug;
  if (answer.principal != nullptr) entry.principal = answer.principal->name;
  log.write(entry);
}

void log_rate_limited(RateLimitedLog& log, const LoggedRequest& about, LogCause cause, std::int64_t now_ms,
                      std::string_view message, std::string_view detail) noexcept {
  const RequestHead& head = about.request.head();
  const api::Response* const answer = about.answer;
  const api::Route* const route = answer == nullptr ? nullptr : answer->route;
  const api::ProblemKind* const problem = answer == nullptr ? nullptr : answer->problem;
  const api::Principal* const principal = answer == nullptr ? nullptr : answer->principal.get();
  const LogContext context{{"remote", about.remote},
                           {"method", head.method_name},
                           {"path", head.path.substr(0, logged_path_max)},
                           {"route", route == nullptr ? std::string_view{} : std::string_view(route->label)},
                           {"problem", problem == nullptr ? std::string_view{} : problem->slug},
                           {"principal", principal == nullptr ? std::string_view{} : principal->name},
                           {"requestId", answer == nullptr ? std::string_view{} : sent_field(*answer, "X-Request-Id")}};
  log.write(cause, now_ms, message, detail);
}

}  // namespace stele::net
