#pragma once
// What the logs say about a request and its answer.

#include <cstdint>
#include <string_view>

#include "api/http/http.h"
#include "net/http/request_reader.h"
#include "net/log/access_log.h"
#include "net/log/rate_limited_log.h"

namespace stele::net {

/// What is told about. Borrows all of it.
struct LoggedRequest {
  const RequestReader& request;
  const api::Response* answer;  ///< null: there is none yet that may be looked at
  std::string_view remote;
};

/// The line of the access log. There is an answer; not `whole`: it did not get to its end.
void log_access(AccessLog& log, const LoggedRequest& about, std::uint64_t body_bytes, std::int64_t micros, bool whole);

/// A line of the server's log.
void log_rate_limited(RateLimitedLog& log, const LoggedRequest& about, LogCause cause, std::int64_t now_ms,
                      std::string_view message, std::string_view detail) noexcept;

}  // namespace stele::net
