#pragma once
// Patterns as JSON Schema has them: regular expressions of ECMA-262, run by RE2 in time linear in the text.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "api/schemas/work_budget.h"

namespace re2 {
class RE2;
}

namespace stele::api {

/// Whether `text` is a regular expression (ECMA-262 with the flag u, but tolerant of needless escapes and of brackets
/// that stand for themselves). Groups deeper than 200 are none.
[[nodiscard]] bool is_ecma_pattern(std::string_view text);

/// Immutable, for any number of threads.
class EcmaPattern {
 public:
  /// The pattern, or why there is none: it is no regular expression, or has what cannot be matched in linear time
  /// (lookaround, back references), or is too large for a megabyte.
  [[nodiscard]] static std::variant<std::shared_ptr<const EcmaPattern>, std::string> compile(std::string_view source);
  ~EcmaPattern();
  EcmaPattern(const EcmaPattern&) = delete;
  EcmaPattern& operator=(const EcmaPattern&) = delete;

  /// Whether it is found anywhere in `text`, which is UTF-8. False also if the budget is exhausted; it is charged by
  /// the length of the text and the size of the pattern.
  [[nodiscard]] bool found_in(std::string_view text, WorkBudget& work) const;
  [[nodiscard]] const std::string& source() const { return source_; }
  /// What the pattern may take in the course of time, as it learns how to match fast: 64 KiB for what people write, 1
  /// MiB for what has more than 200 instructions.
  [[nodiscard]] std::size_t memory_max() const { return memory_max_; }

 private:
  EcmaPattern(std::string_view source, std::unique_ptr<const re2::RE2> program, std::size_t memory_max);

  std::string source_;
  std::unique_ptr<const re2::RE2> program_;
  std::uint64_t instructions_;
  std::size_t memory_max_;
};

}  // namespace stele::api
