#include "api/http/event_places.h"

#include <algorithm>
#include <utility>

namespace stele::api {

EventPlaces::EventPlaces(std::string_view body, BodyFormat format, bool is_list) {
  if (!is_list) return;
  if (format == BodyFormat::Json) {
    const std::size_t first = body.find_first_not_of(" \t\r\n");
    const bool wrapped = first != std::string_view::npos && body[first] == '{';
    base_ = wrapped ? "/events/" : "/";
    return;
  }
  base_ = "/";
  for (std::uint64_t line = 1; !body.empty(); ++line) {
    const std::string_view text = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(text.size() + 1, body.size()));
    if (text.find_first_not_of(" \t\r") != std::string_view::npos) lines_.push_back(line);
  }
}

FieldError EventPlaces::error(std::size_t index, std::string_view pointer, std::string detail) const {
  FieldError error{"pointer", base_, std::move(detail), {}};
  if (!base_.empty()) error.where += std::to_string(index);
  error.where += pointer;
  if (index < lines_.size()) error.line = lines_[index];
  return error;
}

}  // namespace stele::api
