#pragma once
// Whether a JSON value satisfies a schema, and if not, why.

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "api/schemas/compiled_schema.h"

namespace stele::api {

struct ValidationLimits {
  /// Members looked at, and work of that size (work_budget.h). All of it takes less than a second or so. More than
  /// 16,000,000 count as that.
  std::uint64_t work = 10'000'000;
  std::size_t violations = 20;
};

struct SchemaViolation {
  /// RFC 6901 in the instance, long names cut. Of a missing property its parent, of one too many the property itself.
  std::string pointer;
  std::string keyword;  ///< that is not satisfied
  std::string detail;   ///< a sentence
};

struct SchemaVerdict {
  enum class Outcome : std::uint8_t {
    Valid,
    Invalid,
    LimitReached,  ///< not known: it takes more work than the limit, or subschemas are entered 600 deep
  };
  Outcome outcome = Outcome::Valid;
  std::uint64_t work = 0;                   ///< that it took
  std::vector<SchemaViolation> violations;  ///< as they were found; not all beyond ValidationLimits::violations
};

/// Of a name that an object has twice each member must satisfy the schema. Strings are counted in code points. Does not
/// throw but for want of memory.
[[nodiscard]] SchemaVerdict validate(const CompiledSchema& schema, simdjson::dom::element instance,
                                     const ValidationLimits& limits = {});

}  // namespace stele::api
