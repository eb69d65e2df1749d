#pragma once
// Refusals: application/problem+json (RFC 9457). Every `type` is /problems/<slug> of one of the kinds below; GET on it
// describes it.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/http.h"

namespace stele::api {

struct ProblemKind {
  std::string_view slug;
  int status;
  std::string_view title;
  std::string_view meaning;  ///< what happened and what the client can do
};

/// All kinds, by status.
[[nodiscard]] std::span<const ProblemKind> problem_kinds();
[[nodiscard]] const ProblemKind* find_problem_kind(std::string_view slug);

/// One thing that is wrong with a request.
struct FieldError {
  /// What `where` is: "pointer" (RFC 6901, into the body), "parameter" (of the query) or "header".
  std::string_view kind = "pointer";
  std::string where;
  std::string detail;
  std::optional<std::uint64_t> line{};  ///< of an NDJSON body, from 1
};

/// A refusal in the making.
class Problem {
 public:
  /// `slug` must be documented.
  Problem(std::string_view slug, std::string detail);

  Problem& error(FieldError error);
  Problem& errors(std::vector<FieldError> errors);
  /// A response header; the name in static storage.
  Problem& header(std::string_view name, std::string value);
  /// An extension member; the name in static storage and in need of no escaping, the value a whole JSON value.
  Problem& member(std::string_view name, std::string json);
  /// Its value is a text, without what cannot be printed.
  Problem& text_member(std::string_view name, std::string_view text);

  [[nodiscard]] const ProblemKind& kind() const { return *kind_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] const std::vector<FieldError>& field_errors() const { return errors_; }

  /// `instance` is the path of the request; if empty, a fresh urn:uuid names the occurrence.
  [[nodiscard]] Response response(std::string_view instance) const;

 private:
  const ProblemKind* kind_;
  std::string detail_;
  std::vector<FieldError> errors_;
  std::vector<std::pair<std::string_view, std::string>> headers_;
  std::vector<std::pair<std::string_view, std::string>> members_;
};

/// `text` with every absolute file path cut down to its last part, because clients need not know where the data lies.
[[nodiscard]] std::string without_paths(std::string_view text);

/// `text` if it is valid UTF-8, else with every byte that is not ASCII replaced by '?'.
[[nodiscard]] std::string printable(std::string_view text);

/// The description of one kind, and of all, as JSON.
[[nodiscard]] std::string describe(const ProblemKind& kind);
[[nodiscard]] std::string describe_problem_kinds();

}  // namespace stele::api
