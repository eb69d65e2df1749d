#pragma once
// An answer that is a refusal (application/problem+json, RFC 9457), as far as the command line needs it.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/client/http_client.h"

namespace stele::tools {

struct Problem {
  int status = 0;
  std::string slug;    ///< end of `type`, e.g. event-id-conflict; empty if the answer is no problem document
  std::string detail;  ///< for people; never empty
  struct Member {
    std::string pointer;  ///< JSON pointer into what was sent
    std::string detail;
  };
  std::vector<Member> errors;

  /// One line: status, slug, detail and the members that are wrong, each once.
  [[nodiscard]] std::string describe() const;
};

/// Any answer that is not 2xx; one that is not a problem document gives its status and first line.
[[nodiscard]] Problem read_problem(const HttpResponse& response);

/// The index a pointer into a list of events begins with: 3 for `/3/data` and for `/events/3/data`.
[[nodiscard]] std::optional<std::size_t> event_index_of(std::string_view pointer);

}  // namespace stele::tools
