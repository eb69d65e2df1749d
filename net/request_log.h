#pragma once
// What the logs say about a request and its answer.

#include <cstdint>
#include <string_view>

#include "api/http.h"
#include "net/access_log.h"
#include "net/limited_log.h"
#include "net/request_reader.h"

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
void log_complaint(LimitedLog& log, const LoggedRequest& about, LogCause cause, std::int64_t now_ms,
                   std::string_view message, std::string_view detail) noexcept;

}  // namespace stele::net
