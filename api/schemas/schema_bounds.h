#pragma once
// What two schemas say of numbers, texts and counts, compared. Internal to schema_change.cpp.

#include <string>
#include <string_view>

#include "api/schemas/schema_difference.h"
#include "api/schemas/schema_part.h"
#include "api/schemas/work_budget.h"

namespace stele::api {

// Whether everything that `from` takes is taken by `to`, of numbers, of strings, or of what is counted by two keywords.
// `pointer` is where they stand; differences are told to `tell`, if it is not null.

[[nodiscard]] bool numbers_contain(SchemaPart from, SchemaPart to, const std::string& pointer, SchemaDifferences* tell);
[[nodiscard]] bool strings_contain(SchemaPart from, SchemaPart to, const std::string& pointer, SchemaDifferences* tell,
                                   WorkBudget& work);
[[nodiscard]] bool counts_contain(SchemaPart from, SchemaPart to, std::string_view least, std::string_view most,
                                  const std::string& pointer, SchemaDifferences* tell);

}  // namespace stele::api
