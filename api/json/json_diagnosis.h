#pragma once
// Why a text was refused by the fast parser. simdjson stops at the first error and has one code for a broken number and
// for one that is merely too large; clients are told the difference (400 or 422) and the place. Slow path only.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stele::api {

/// A value that is well-formed JSON and yet refused: a number without a 64-bit or double form, a lone surrogate, absurd
/// nesting.
struct JsonValueError {
  std::string pointer;  ///< RFC 6901 from the root of the text; cut at 32 levels
  std::string detail;
  bool operator==(const JsonValueError&) const = default;
};

struct JsonDiagnosis {
  struct Broken {
    std::size_t offset;  ///< in bytes
    std::string detail;
  };
  std::optional<Broken> broken;        ///< the grammar is violated; `values` is then meaningless
  std::vector<JsonValueError> values;  ///< at most 20, no two of them equal
};

/// Checks `text` against RFC 8259 byte by byte. Takes time linear in the text and one bit of memory a level of nesting.
[[nodiscard]] JsonDiagnosis diagnose_json(std::string_view text);

/// Appends one reference token, `~` and `/` escaped, with the slash before it. What is longer than a name people read
/// is cut, and ends with an ellipsis: a client must not make an answer many times as large as its request.
void append_pointer_token(std::string& pointer, std::string_view token);

}  // namespace stele::api
