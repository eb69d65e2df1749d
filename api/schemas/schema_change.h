#pragma once
// Whether whatever satisfies one schema satisfies another: what compatibility between versions comes down to.

#include <cstdint>
#include <string_view>

#include "api/schemas/schema_difference.h"
#include "api/schemas/schema_settings.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

/// Why something may be valid under `from` and not under `to`; both are schemas that compile_schema() takes. Empty:
/// there is no such thing, as far as the policy goes:
/// - both let a property become required that has a `default`, since whoever reads puts it there;
/// - lenient also lets an optional property come into an open model, where others may have put anything before, and
///   leave a closed one. It must be new to all that the earlier schema says at that place, `allOf`, `$ref` and choices
///   too.
/// What cannot be told counts as a difference: a condition (`if`) that is not the same in both, or a schema with
/// `unevaluated…` in it; a reference that is no JSON pointer or in a document with an `$id` below its root; choices of
/// `oneOf` that may overlap; and what takes more than the work there is, which then is exhausted.
[[nodiscard]] SchemaDifferences breaking_differences(std::string_view from, std::string_view to, SchemaPolicy policy,
                                                     WorkBudget& work);

}  // namespace stele::api
