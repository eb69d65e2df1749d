#pragma once
// All that is wrong with the events of a request and their condition, with the place of each: a client should be able
// to mend its request in one go.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/problem.h"

namespace stele::api {

/// Also knows the place that is being read. The first hundred errors are kept, the others counted.
class EventErrors {
 public:
  /// The place of an event: `base` ("/events", "" for a bare list), then its index.
  void enter_event(std::string_view base, std::size_t index, std::optional<std::uint64_t> line);
  void leave_events();

  /// `pointer` is relative to the event, if one is being read.
  void add(std::string_view pointer, std::string detail);
  void add_too_large(std::string_view pointer, std::string detail);

  [[nodiscard]] bool any() const { return invalid_ || too_large_; }
  /// Of any(). Takes them.
  [[nodiscard]] Problem problem();

 private:
  void push(std::string_view pointer, std::string detail);

  std::string base_;
  std::optional<std::size_t> index_;
  std::optional<std::uint64_t> line_;
  std::vector<FieldError> errors_;
  std::size_t count_ = 0;
  bool invalid_ = false;
  bool too_large_ = false;
};

/// The pointer of a member of that name.
[[nodiscard]] std::string member_pointer(std::string_view name);

}  // namespace stele::api
