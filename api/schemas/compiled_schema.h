#pragma once
// A JSON Schema, read once and then asked for every event of its type.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stele::api {

struct SchemaProgram;

enum class SchemaDraft : std::uint8_t { Draft07, Draft202012 };

// What a schema may be at most.
inline constexpr std::size_t kSchemaBytesMax = 1 << 20;
inline constexpr std::size_t kSubschemasMax = 10'000;
inline constexpr std::size_t kSchemaDepthMax = 64;               ///< subschemas in each other
inline constexpr std::size_t kSchemaUriBytesMax = 2048;          ///< of `$id`, `$ref` and anchors
inline constexpr std::size_t kSchemaPatternBytesMax = 64 << 20;  ///< EcmaPattern::memory_max() of all its patterns
inline constexpr std::size_t kIgnoredKeywordsMax = 100;          ///< what is listed of them

/// Why a text is no schema that can be used.
struct SchemaError {
  std::string pointer;  ///< RFC 6901 in the text; long names in it are cut
  std::string detail;   ///< a sentence
};

/// Immutable: any number of threads may validate with it at once (schema_validation.h).
class CompiledSchema {
 public:
  explicit CompiledSchema(std::unique_ptr<const SchemaProgram> program);
  ~CompiledSchema();
  CompiledSchema(const CompiledSchema&) = delete;
  CompiledSchema& operator=(const CompiledSchema&) = delete;

  [[nodiscard]] SchemaDraft draft() const;
  /// Keywords that mean nothing here, sorted, each once; `format: x` for a format that is not asserted.
  [[nodiscard]] const std::vector<std::string>& ignored_keywords() const;
  /// About what it may take in the course of time, patterns above all (EcmaPattern::memory_max()).
  [[nodiscard]] std::size_t memory_max() const;
  [[nodiscard]] const SchemaProgram& program() const { return *program_; }

 private:
  std::unique_ptr<const SchemaProgram> program_;
};

/// Reads a schema of draft-07 (also what has no `$schema`) or 2020-12. References lead to places in the text alone; one
/// that leads nowhere, or back to where it came from without going deeper into the instance, is an error. So is
/// anything that a keyword may not be, a repeated name, a pattern that EcmaPattern cannot take, and what goes beyond
/// the limits above.
///
/// What is beside a `$ref` is ignored in draft-07, as that draft has it, and holds in 2020-12. Formats are asserted in
/// both (string_format.h lists them); `content…` keywords and `default` are annotations.
[[nodiscard]] std::variant<std::shared_ptr<const CompiledSchema>, SchemaError> compile_schema(std::string_view json);

}  // namespace stele::api
