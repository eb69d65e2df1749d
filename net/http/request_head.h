#pragma once
// A request line and its header fields, parsed and judged. No I/O: bytes in, a head or a refusal out. Everything that
// could make a proxy in front and this server disagree about where a request ends is refused.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"

namespace stele::net {

/// Why a request is not served, as an answer: a slug of api/http/problem.h and a sentence for the client.
struct Refusal {
  std::string_view slug;
  std::string detail;
};

/// Views point into the bytes that were parsed.
struct RequestHead {
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  api::Method method = api::Method::Other;
  std::string_view method_name;
  std::string_view path;       ///< begins with '/', or is "*"
  std::string_view query;      ///< without the '?'
  std::string_view authority;  ///< host and port: of the target if it names them, else of Host; empty if neither does
  int version = 11;            ///< 10 or 11
  bool keep_alive = false;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;
  std::vector<Field> fields;

  void clear();
};

struct HeadLimits {
  std::size_t bytes_max;
  std::size_t fields_max;
};

/// Length of the header in `bytes`, its empty line included; 0 if it has not ended yet. `searched` bytes are known not
/// to hold the end; it is moved on, so that a header that comes byte by byte costs no more than its length.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t& searched);

/// Whether `bytes`, an unfinished header, can still become one; says no to TLS and other protocols at their first
/// bytes.
[[nodiscard]] bool may_be_head(std::string_view bytes);

/// What can be told of a header that is not whole, or is refused before it is looked at: its field Origin, if that has
/// arrived.
void salvage_origin(std::string_view bytes, RequestHead& head);

/// Parses exactly one header as found by find_head_end(). `head` is reused, so that its vector keeps its memory.
[[nodiscard]] std::optional<Refusal> parse_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head);

/// The refusal of a header that is longer than `limits` allow.
[[nodiscard]] Refusal head_too_large(std::string_view bytes, const HeadLimits& limits);

/// Compares ASCII without regard to case.
[[nodiscard]] bool same_ignoring_case(std::string_view a, std::string_view b);

}  // namespace stele::net
