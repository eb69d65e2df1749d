#include "api/events/member_values.h"

#include "api/json/control_characters.h"

namespace stele::api {

bool take_text(const simdjson::dom::element& value, std::string_view pointer, std::size_t bytes_max,
               EventErrors& errors, std::string& to) {
  std::string_view given;
  if (value.get(given) != simdjson::SUCCESS) {
    errors.add(pointer, "Must be a string.");
    return false;
  }
  if (given.empty() || given.size() > bytes_max) {
    errors.add(pointer, "Must have 1 to " + std::to_string(bytes_max) + " bytes of UTF-8.");
    return false;
  }
  if (has_control_characters(given)) {
    errors.add(pointer, "Must not contain control characters.");
    return false;
  }
  to = given;
  return true;
}

std::optional<std::uint64_t> take_integer(const simdjson::dom::element& value, std::string_view pointer,
                                          std::uint64_t min, std::uint64_t max, EventErrors& errors) {
  std::uint64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < min || number > max) {
    errors.add(pointer, "Must be an integer from " + std::to_string(min) + " to " + std::to_string(max) + ".");
    return std::nullopt;
  }
  return number;
}

}  // namespace stele::api
