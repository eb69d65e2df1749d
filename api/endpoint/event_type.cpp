#include "api/endpoint/event_type.h"

#include <algorithm>
#include <cstddef>

#include "api/http/percent.h"

namespace stele::api {

namespace {

constexpr std::size_t kEventTypeBytesMax = 128;

bool is_event_type_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == ':' || c == '/';
}

}  // namespace

bool is_event_type(std::string_view text) {
  return !text.empty() && text.size() <= kEventTypeBytesMax && !is_dot_segment(text) &&
         std::all_of(text.begin(), text.end(), is_event_type_character);
}

}  // namespace stele::api
