#pragma once
// Where the events of a request stand in its body.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/body_format.h"
#include "api/http/problem.h"

namespace stele::api {

/// For refusals of a body that was parsed. Does not keep the body.
class EventPlaces {
 public:
  EventPlaces() = default;
  EventPlaces(std::string_view body, BodyFormat format, bool is_list);

  /// What is wrong with an event, by its number in the request; `pointer` is relative to the event.
  [[nodiscard]] FieldError error(std::size_t index, std::string_view pointer, std::string detail) const;

 private:
  std::string base_;                  ///< before the number; empty: there is one event, and it is the body
  std::vector<std::uint64_t> lines_;  ///< of the events of an NDJSON body
};

}  // namespace stele::api
