#include "api/schemas/schema_difference.h"

#include <utility>

#include "api/json/json_diagnosis.h"

namespace stele::api {

bool differ(SchemaDifferences* to, const std::string& pointer, std::string_view rule, std::string detail) {
  if (to != nullptr && to->size() < kSchemaDifferencesMax) to->push_back({pointer, rule, std::move(detail)});
  return false;
}

std::string pointer_below(std::string pointer, std::string_view token) {
  append_pointer_token(pointer, token);
  return pointer;
}

std::string pointer_below(std::string pointer, std::string_view keyword, std::string_view token) {
  append_pointer_token(pointer, keyword);
  append_pointer_token(pointer, token);
  return pointer;
}

}  // namespace stele::api
