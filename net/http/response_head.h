#pragma once
// The bytes of a response before its body. No I/O.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace stele::net {

/// How the client finds the end of the body.
struct Framing {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool close = false;             ///< say that the connection ends here
  bool keep_alive = false;        ///< say that it does not (HTTP/1.0)
  std::string_view upgrade_to{};  ///< of a 101: what is spoken behind the head
};

/// Whether a response of that status may have a body (and a Content-Length).
[[nodiscard]] bool may_have_body(int status);

/// Appends status line and fields. `date` is a value of the Date field. Control characters in values become spaces, so
/// that nothing taken over from a request can begin a new line.
void append_response_head(std::string& to, const api::Response& response, const Framing& framing,
                          std::string_view date);

/// The Date value of a time in seconds since 1970, for example "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(std::int64_t seconds);

}  // namespace stele::net
